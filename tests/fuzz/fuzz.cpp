#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_set_rand_method, which has no successor that is as small

#include <torsion/tests/fuzz/fuzz.hpp>

#include <array>
#include <chrono>

#include <openssl/rand.h>

#include <torsion/core/log.hpp>

namespace torsion::fuzz {

namespace {

constexpr unsigned kStreams = 4;
constexpr unsigned kCertificateStream = kStreams - 1;

std::array<std::uint64_t, kStreams> states;
unsigned current = 0;

/// SplitMix64.
std::uint64_t next(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
}

int fill(unsigned char* octets, int count) {
    for (int i = 0; i < count; ++i) octets[i] = static_cast<unsigned char>(next(states[current]));
    return 1;
}

int always() { return 1; }

constexpr RAND_METHOD kMethod = {nullptr, fill, nullptr, nullptr, fill, always};

ssl::PrivateCertificate makeCertificate() {
    const unsigned before = current;
    useRandomness(kCertificateStream);
    states[kCertificateStream] = kCertificateStream;
    const auto year = [](int number) {
        return std::chrono::sys_days(std::chrono::year(number) / std::chrono::January / 1);
    };
    auto made = ssl::KeyPair::generate(ssl::KeyPair::Kind::ec)
                    .selfSignedCert(1, ssl::DistinguishedName{{"CN", "example.com"}}, {"example.com", "127.0.0.1"},
                                    ssl::Validity(year(2000), year(2100)));
    useRandomness(before);
    return made;
}

}  // namespace

void restartRandomness() {
    RAND_set_rand_method(&kMethod);
    for (unsigned stream = 0; stream < kStreams; ++stream) states[stream] = stream;
    current = 0;
}

void useRandomness(unsigned stream) { current = stream % kStreams; }

const ssl::PrivateCertificate& certificate() {
    static const ssl::PrivateCertificate made = makeCertificate();
    return made;
}

const ssl::CertificateOptions& serverOptions(ssl::TLSVersion highest) {
    using Parameters = ssl::CertificateOptions::Parameters;
    static const ssl::CertificateOptions newest{Parameters(certificate())};
    static const ssl::CertificateOptions older{
        Parameters(certificate()).lowerMaximumSecurityTo(ssl::TLSVersion::TLSv1_2)};
    return highest == ssl::TLSVersion::TLSv1_2 ? older : newest;
}

const ssl::ClientTLSOptions& clientOptions() {
    static const ssl::ClientTLSOptions options = ssl::optionsForClientTLS("example.com", certificate());
    return options;
}

}  // namespace torsion::fuzz

namespace {

using namespace torsion;

/// Once a process: what is made on first use and kept must not depend on which input comes first.
void prepare() {
    static const bool done = [] {
        fuzz::restartRandomness();
        static_cast<void>(fuzz::clientOptions());
        static_cast<void>(fuzz::serverOptions(ssl::TLSVersion::TLSv1_2));
        // Errors are what these inputs are for; nobody wants to read them.
        static std::FILE* const nowhere = std::fopen("/dev/null", "w");
        log::startLogging(nowhere);
        return true;
    }();
    static_cast<void>(done);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > fuzz::kLongestInput) return -1;
    prepare();
    fuzz::restartRandomness();
    fuzz::run(BytesView(reinterpret_cast<const char*>(data), size));
    return 0;
}
