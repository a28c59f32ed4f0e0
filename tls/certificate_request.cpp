#include <torsion/tls/certificate_request.hpp>

#include <new>

#include <openssl/pem.h>

#include <torsion/tls/der.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/general_names.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/pem.hpp>

namespace torsion::ssl {

namespace {

using RequestPointer = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;

}  // namespace

CertificateRequest CertificateRequest::fromNative(X509_req_st* native) {
    if (callOpenSSL([&] { return X509_REQ_verify(native, X509_REQ_get0_pubkey(native)); }) != 1) {
        ERR_clear_error();
        const auto subject = DistinguishedName::fromNative(X509_REQ_get_subject_name(native));
        throw VerifyError("Can't verify that request for " + subject.str() + " is self-signed.",
                          torsion::detail::Exactly{});
    }
    std::shared_ptr<X509_req_st> copy(X509_REQ_dup(native), Freer<X509_REQ_free>());  // it counts no references
    if (!copy) throw std::bad_alloc();
    return CertificateRequest(std::move(copy));
}

CertificateRequest CertificateRequest::load(BytesView der) {
    const RequestPointer native(readDER(d2i_X509_REQ, der));
    if (!native) throwFromQueue("This is not a certificate request in DER");
    return fromNative(native.get());
}

CertificateRequest CertificateRequest::loadPEM(BytesView pem) {
    const PEMContents contents = readPEM(pem);
    if (!contents.request) throw Error("PEM data holds no certificate request: " + contents.describe());
    return load(*contents.request);
}

Bytes CertificateRequest::dump() const {
    return writeDER([&](unsigned char** data) { return i2d_X509_REQ(native(), data); },
                    "The certificate request cannot be written as DER");
}

std::string CertificateRequest::dumpPEM() const {
    const BIOPointer bio = collectingBIO();
    if (callOpenSSL([&] { return PEM_write_bio_X509_REQ(bio.get(), native()); }) != 1) {
        throwFromQueue("The certificate request cannot be written as PEM");
    }
    return contents(bio.get());
}

DistinguishedName CertificateRequest::getSubject() const {
    return DistinguishedName::fromNative(X509_REQ_get_subject_name(native()));
}

PublicKey CertificateRequest::getPublicKey() const { return PublicKey::fromNative(X509_REQ_get0_pubkey(native())); }

std::vector<std::string> CertificateRequest::subjectAltNames() const {
    using Extensions = STACK_OF(X509_EXTENSION);
    struct ExtensionsFreer {
        void operator()(Extensions* extensions) const noexcept {
            sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        }
    };
    const std::unique_ptr<Extensions, ExtensionsFreer> extensions(X509_REQ_get_extensions(native()));
    const GeneralNamesPointer names(
        static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
    ERR_clear_error();  // of a request that has none
    return textsOf(names.get());
}

bool CertificateRequest::operator==(const CertificateRequest& other) const {
    return native_ == other.native_ || dump() == other.dump();
}

std::string CertificateRequest::str() const {
    return "<CertificateRequest Subject=" + printable(getSubject().commonName()) + ">";
}

std::string CertificateRequest::inspect() const {
    std::string text = "Certificate Request For Subject:\n" + getSubject().inspect() + "\n";
    const std::vector<std::string> names = subjectAltNames();
    if (!names.empty()) text += "Names: " + join(names) + "\n";
    return text + getPublicKey().inspect();
}

}  // namespace torsion::ssl

namespace torsion::detail {

using ssl::CertificateRequest;

void requireApproval(bool approved, const CertificateRequest& request) {
    if (approved) return;
    throw VerifyError("The callback rejected the request of " + request.getSubject().str(), Exactly{});
}

void refuseUnseenNames(const CertificateRequest& request) {
    const int entries = X509_NAME_entry_count(X509_REQ_get_subject_name(request.native()));
    if (static_cast<std::size_t>(entries) != request.getSubject().fields().size()) {
        throw VerifyError("The subject of the request of " + request.getSubject().str() +
                              " has more fields than a distinguished name shows: let the callback take a const "
                              "CertificateRequest&, and judge its native()",
                          Exactly{});
    }
    const std::vector<std::string> names = request.subjectAltNames();
    if (names.empty()) return;
    throw VerifyError("The request of " + request.getSubject().str() + " also asks for the names " + ssl::join(names) +
                          ", and the callback sees the distinguished name alone: let it take a const "
                          "CertificateRequest&, and judge its subjectAltNames()",
                      Exactly{});
}

}  // namespace torsion::detail
