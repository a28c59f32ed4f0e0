#include <torsion/tls/public_key_pin.hpp>

#include <array>

#include <torsion/core/error.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

constexpr std::string_view kPrefix = "sha256/";
constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kEncodedSize = 44;  // in base64

std::string base64(const unsigned char* data, std::size_t size) {
    std::string text(4 * ((size + 2) / 3), '\0');
    // It writes a NUL behind the text, where std::string has one already.
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), data, static_cast<int>(size));
    return text;
}

/// Whether @p text is the one way to write 32 octets in base64.
bool isEncodedDigest(std::string_view text) {
    if (text.size() != kEncodedSize || text.back() != '=' || text[kEncodedSize - 2] == '=') return false;
    std::array<unsigned char, kEncodedSize> octets{};
    const int size = EVP_DecodeBlock(octets.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    ERR_clear_error();
    return size >= static_cast<int>(kDigestSize) && base64(octets.data(), kDigestSize) == text;
}

std::string checkedPin(const std::string& pin) {
    std::string_view digest = pin;
    if (digest.starts_with(kPrefix)) {
        digest.remove_prefix(kPrefix.size());
        // Base64 may begin with a slash, so that only the length tells curl's second one.
        if (digest.size() == kEncodedSize + 1 && digest.front() == '/') digest.remove_prefix(1);
        if (isEncodedDigest(digest)) return std::string(kPrefix) + std::string(digest);
    }
    throw ValueError("'" + printable(pin) +
                     "' is no pin: it must be sha256/ and the 44 characters of a SHA-256 in base64, as "
                     "Certificate::publicKeyPin() gives it");
}

}  // namespace

std::string publicKeyPin(const x509_st* certificate) {
    unsigned char* data = nullptr;
    const int size = callOpenSSL([&] { return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &data); });
    if (size < 0) throwFromQueue("The public key of a certificate cannot be read");
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned digestSize = 0;
    const int made = callOpenSSL([&] {
        return EVP_Digest(data, static_cast<std::size_t>(size), digest.data(), &digestSize, EVP_sha256(), nullptr);
    });
    if (made != 1) throwFromQueue("SHA-256 is not available");
    return std::string(kPrefix) + base64(digest.data(), digestSize);
}

std::vector<std::string> checkedPins(const std::vector<std::string>& pins) {
    if (pins.empty()) throw ValueError("pinnedPublicKeys needs at least one pin; with none no server is accepted");
    std::vector<std::string> result;
    for (const std::string& pin : pins) result.push_back(checkedPin(pin));
    return result;
}

}  // namespace torsion::ssl
