#include <torsion/tls/revocation_list.hpp>

#include <new>

#include <openssl/pem.h>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/ocsp_response.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>

namespace torsion::ssl {

namespace {

using ListPointer = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;

}  // namespace

RevocationList RevocationList::fromNative(X509_crl_st* native) {
    if (X509_CRL_up_ref(native) != 1) throw std::bad_alloc();
    return RevocationList(std::shared_ptr<X509_crl_st>(native, Freer<X509_CRL_free>()));
}

RevocationList RevocationList::load(BytesView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    const ListPointer native(callOpenSSL([&] { return d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size())); }));
    if (!native) throwFromQueue("This is not a certificate revocation list in DER");
    return fromNative(native.get());
}

RevocationList RevocationList::loadPEM(BytesView pem) { return loadAllPEM(pem).front(); }

std::vector<RevocationList> RevocationList::loadAllPEM(BytesView pem) {
    std::vector<RevocationList> lists;
    const BIOPointer bio = readingBIO(pem);
    for (;;) {
        const ListPointer native(
            callOpenSSL([&] { return PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr); }));
        if (!native) break;
        lists.push_back(fromNative(native.get()));
    }
    const unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) {
        throwFromQueue("A certificate revocation list in the PEM data cannot be read");
    }
    ERR_clear_error();
    if (lists.empty()) throw Error("PEM data holds no certificate revocation list: " + readPEM(pem).describe());
    return lists;
}

DistinguishedName RevocationList::getIssuer() const {
    return DistinguishedName::fromNative(X509_CRL_get_issuer(native()));
}

RevocationList::Clock::time_point RevocationList::lastUpdate() const {
    return timePoint(X509_CRL_get0_lastUpdate(native()));
}

std::optional<RevocationList::Clock::time_point> RevocationList::nextUpdate() const {
    const ASN1_TIME* time = X509_CRL_get0_nextUpdate(native());
    if (time == nullptr) return std::nullopt;
    return timePoint(time);
}

std::size_t RevocationList::size() const noexcept {
    const STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(native());
    return revoked != nullptr ? static_cast<std::size_t>(sk_X509_REVOKED_num(revoked)) : 0;
}

bool RevocationList::revokes(const Certificate& certificate) const {
    if (X509_NAME_cmp(X509_CRL_get_issuer(native()), X509_get_issuer_name(certificate.native())) != 0) return false;
    X509_REVOKED* entry = nullptr;
    constexpr int kRevoked = 1;  // 2 is an entry that takes an earlier one back, of a delta
    return X509_CRL_get0_by_cert(native(), &entry, certificate.native()) == kRevoked;
}

Bytes RevocationList::dump() const {
    unsigned char* data = nullptr;
    const int size = callOpenSSL([&] { return i2d_X509_CRL(native(), &data); });
    if (size < 0) throwFromQueue("The certificate revocation list cannot be written as DER");
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    return Bytes(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::string RevocationList::dumpPEM() const {
    const BIOPointer bio = collectingBIO();
    if (callOpenSSL([&] { return PEM_write_bio_X509_CRL(bio.get(), native()); }) != 1) {
        throwFromQueue("The certificate revocation list cannot be written as PEM");
    }
    return contents(bio.get());
}

std::string RevocationList::str() const {
    return "<RevocationList Issuer=" + printable(getIssuer().commonName()) + " Revoked=" + std::to_string(size()) + ">";
}

}  // namespace torsion::ssl
