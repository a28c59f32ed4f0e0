#include <torsion/tls/pem.hpp>

#include <string_view>

#include <openssl/pem.h>

#include <torsion/tls/der.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

/// One block as it stands in the file. The octets may be a key's, so they are wiped.
struct Block {
    char* type = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;

    Block() = default;
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() {
        OPENSSL_free(type);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, static_cast<std::size_t>(size));
    }

    bool is(std::string_view name) const noexcept { return type == name; }
    bool isCertificate() const noexcept {
        return is("CERTIFICATE") || is("X509 CERTIFICATE") || is("TRUSTED CERTIFICATE");
    }
    bool isKey() const noexcept { return std::string_view(type).ends_with("PRIVATE KEY"); }
    bool isRequest() const noexcept { return is("CERTIFICATE REQUEST") || is("NEW CERTIFICATE REQUEST"); }
    bool isEncrypted() const noexcept {
        return is("ENCRYPTED PRIVATE KEY") || std::string_view(header).find("ENCRYPTED") != std::string_view::npos;
    }
};

/// Reads on to the next block. @return false at the end
bool readBlock(BIO* bio, Block& block) {
    const int read =
        callOpenSSL([&] { return PEM_read_bio(bio, &block.type, &block.header, &block.data, &block.size); });
    if (read == 1) return true;
    const unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE) {
        throwFromQueue("PEM data is malformed: a block is cut off or holds characters that do not belong there");
    }
    ERR_clear_error();
    return false;
}

BytesView octetsOf(const Block& block) {
    return BytesView(reinterpret_cast<const char*>(block.data), static_cast<std::size_t>(block.size));
}

Certificate certificateOf(const Block& block) {
    const CertificatePointer native(readDER(d2i_X509, octetsOf(block)));
    if (!native) throwFromQueue("A certificate in the PEM data cannot be read");
    return Certificate::fromNative(native.get());
}

KeyPair keyOf(const Block& block) {
    const KeyPointer native(readDER(d2i_AutoPrivateKey, octetsOf(block)));
    if (!native) throwFromQueue("The private key in the PEM data cannot be read");
    ERR_clear_error();  // it tried several decoders, and those that failed left their reasons
    return KeyPair::fromNative(native.get());
}

EncryptedKey encryptedKeyOf(const Block& block) {
    Bytes data(octetsOf(block));
    return block.is("ENCRYPTED PRIVATE KEY") ? EncryptedKey::pkcs8(std::move(data))
                                             : EncryptedKey::traditional(block.header, std::move(data));
}

}  // namespace

std::string PEMContents::describe() const {
    std::string text = "it holds ";
    text += certificates.empty()       ? "no certificate"
            : certificates.size() == 1 ? "a certificate"
                                       : std::to_string(certificates.size()) + " certificates";
    if (request) text += ", a certificate request";
    text += encryptedKey ? ", an encrypted private key" : key ? ", a private key" : ", no private key";
    for (const std::string& other : others) text += ", a block of type " + other;
    return text;
}

PEMContents readPEM(BytesView pem) {
    PEMContents result;
    const BIOPointer bio = readingBIO(pem);
    for (;;) {
        Block block;
        if (!readBlock(bio.get(), block)) break;
        if (block.isCertificate()) {
            result.certificates.push_back(certificateOf(block));
        } else if (block.isRequest() && !result.request) {
            result.request = Bytes(octetsOf(block));
        } else if (!block.isKey()) {
            result.others.push_back(printable(block.type));
        } else if (block.isEncrypted()) {
            if (!result.encryptedKey) result.encryptedKey = encryptedKeyOf(block);
        } else if (!result.key) {
            result.key = keyOf(block);
        }
    }
    if (result.empty()) {
        if (pem.empty()) throw Error("PEM data is empty: neither a certificate nor a private key");
        const bool looksLikeDER = pem.front() == '\x30';
        throw Error(std::string("This is not PEM data: no line like -----BEGIN CERTIFICATE----- was found") +
                    (looksLikeDER ? "; it looks like DER, which load() reads" : ""));
    }
    return result;
}

}  // namespace torsion::ssl
