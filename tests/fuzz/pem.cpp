/// PEM and DER as files bring them: certificates, keys, DH parameters.

#include <torsion/core/error.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>
#include <torsion/tls/certificate.hpp>
#include <torsion/tls/certificate_request.hpp>
#include <torsion/tls/dh_parameters.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/key_pair.hpp>

namespace torsion::fuzz {

namespace {

/// As long as any file that one would read in earnest; longer ones only take longer.
constexpr std::size_t kLongestFile = 1U << 14;

/// What cannot be read is an error that says so, and never any other exception.
template <class Work>
void reads(Work&& work) {
    try {
        work();
    } catch (const Error& error) {
        require(*error.what() != '\0', "an error without words");
    }
}

void look(const ssl::Certificate& certificate) {
    require(ssl::Certificate::load(certificate.dump()) == certificate, "a certificate is not what it was written as");
    require(ssl::Certificate::loadPEM(certificate.dumpPEM()) == certificate, "the same in PEM");
    for (const std::string& text : {certificate.inspect(), certificate.str(), certificate.serialNumber()}) {
        for (const char c : text) {
            require(static_cast<unsigned char>(c) >= 0x20 || c == '\n', "text for people has control characters");
        }
    }
    static_cast<void>(certificate.getSubject().commonName());
    static_cast<void>(certificate.getIssuer().commonName());
    static_cast<void>(certificate.subjectAltNames());
    static_cast<void>(certificate.digest());
    static_cast<void>(certificate.isSelfIssued());
}

void look(const ssl::KeyPair& key) {
    static_cast<void>(ssl::KeyPair::load(key.dump()));
    static_cast<void>(ssl::KeyPair::loadPEM(key.dumpPEM()));
    static_cast<void>(key.inspect());
}

void look(const ssl::CertificateRequest& request) {
    static_cast<void>(request.getSubject().commonName());
    static_cast<void>(ssl::CertificateRequest::load(request.dump()));
}

}  // namespace

/// The input: an octet that says what it is taken for, and the file.
void run(BytesView octets) {
    if (octets.size() > kLongestFile) return;
    Input input(octets);
    const std::uint8_t kind = input.octet() % 7;
    const BytesView file = input.rest();
    switch (kind) {
        case 0:
            reads([&] {
                const auto all = ssl::Certificate::loadAllPEM(file);
                require(!all.empty(), "loadAllPEM found nothing and did not say so");
                require(ssl::Certificate::loadPEM(file) == all.front(), "loadPEM and loadAllPEM find different ones");
                for (const auto& certificate : all) look(certificate);
            });
            break;
        case 1:
            reads([&] {
                const auto own = ssl::PrivateCertificate::loadPEM(file);
                require(ssl::PrivateCertificate::loadPEM(own.dumpPEM()) == own, "it is not what it was written as");
                look(own);
            });
            break;
        case 2: reads([&] { look(ssl::KeyPair::loadPEM(file)); }); break;
        case 3: reads([&] { look(ssl::KeyPair::load(file)); }); break;
        case 4: reads([&] { look(ssl::Certificate::load(file)); }); break;
        case 5:
            reads([&] {
                const auto parameters = ssl::DiffieHellmanParameters::fromPEM(file);
                require(parameters.bits() >= ssl::DiffieHellmanParameters::kMinimumBits, "a group that is too small");
            });
            break;
        default: reads([&] { look(ssl::CertificateRequest::load(file)); }); break;
    }
}

std::vector<Bytes> seeds() {
    const auto& own = certificate();
    const std::string both = own.dumpPEM();
    const std::string one = static_cast<const ssl::Certificate&>(own).dumpPEM();
    const std::string key = own.privateKey().dumpPEM();
    const std::string ed = ssl::KeyPair::generate(ssl::KeyPair::Kind::ed25519).dumpPEM();
    const Bytes request = own.privateKey().certificateRequest(
        ssl::DistinguishedName{{"CN", "example.com"}, {"O", "Example"}}, {"a.example"});
    // The group 14 of RFC 3526 is a well-known one of 2048 bits.
    const std::string group =
        "-----BEGIN DH PARAMETERS-----\n"
        "MIIBCAKCAQEA///////////JD9qiIWjCNMTGYouA3BzRKQJOCIpnzHQCC76mOxOb\n"
        "IlFKCHmONATd75UZs806QxswKwpt8l8UN0/hNW1tUcJF5IW1dmJefsb0TELppjft\n"
        "awv/XLb0Brft7jhr+1qJn6WunyQRfEsf5kkoZlHs5Fs9wgB8uKFjvwWY2kg2HFXT\n"
        "mmkWP6j9JM9fg2VdI9yjrZYcYvNWIIVSu57VKQdwlpZtZww1Tkq8mATxdGwIyhgh\n"
        "fDKQXkYuNs474553LBgOhgObJ4Oi7Aeij7XFXfBvTFLJ3ivL9pVYFxg5lUl86pVq\n"
        "5RXSJhiY+gUQFXKOWoqsqmj//////////wIBAg==\n"
        "-----END DH PARAMETERS-----\n";
    return {Bytes(1, '\0') + one + one,  Bytes(1, '\1') + both,  Bytes(1, '\1') + key + one,
            Bytes(1, '\2') + key,        Bytes(1, '\2') + ed,    Bytes(1, '\3') + own.privateKey().dump(),
            Bytes(1, '\4') + own.dump(), Bytes(1, '\5') + group, Bytes(1, '\6') + request};
}

}  // namespace torsion::fuzz
