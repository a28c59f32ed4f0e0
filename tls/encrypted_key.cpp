#include <torsion/tls/encrypted_key.hpp>

#include <algorithm>
#include <new>

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <torsion/tls/der.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

namespace {

using PlainKeyPointer = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freer<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPointer = std::unique_ptr<X509_SIG, Freer<X509_SIG_free>>;
using AlgorithmPointer = std::unique_ptr<X509_ALGOR, Freer<X509_ALGOR_free>>;

/// How often PBKDF2 hashes a passphrase when a key is written: a fraction of a second for us, and for each guess.
constexpr int kIterations = 600'000;

static_assert(kLongestPassphrase == PEM_BUFSIZE);

/// A text that is wiped when it goes.
class Secret {
public:
    /// Wipes @p text, too. Copied, since a short text that is moved from stays where it was.
    explicit Secret(std::string&& text) : text_(text) { OPENSSL_cleanse(text.data(), text.size()); }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }

    std::string& text() noexcept { return text_; }
    int size() const noexcept { return static_cast<int>(text_.size()); }

private:
    std::string text_;
};

extern "C" int giveSecret(char* buffer, int size, int, void* secret) {
    const std::string& text = static_cast<Secret*>(secret)->text();
    if (text.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(text.begin(), text.end(), buffer);
    return static_cast<int>(text.size());
}

constexpr const char* kWrong = "The private key cannot be decrypted: the passphrase is wrong, or the key is damaged";

[[noreturn]] void throwUndecrypted() {
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason == ERR_R_UNSUPPORTED || reason == EVP_R_UNKNOWN_PBE_ALGORITHM || reason == EVP_R_UNSUPPORTED_CIPHER) {
        throwFromQueue("The private key is encrypted in a way that OpenSSL does not support");
    }
    throwFromQueue(kWrong);
}

KeyPair decryptPKCS8(const Bytes& der, Secret& secret) {
    const EncryptedPointer encrypted(readDER(d2i_X509_SIG, der));
    if (!encrypted) throwFromQueue("The encrypted private key cannot be read");
    const PlainKeyPointer plain(
        callOpenSSL([&] { return PKCS8_decrypt(encrypted.get(), secret.text().data(), secret.size()); }));
    if (!plain) throwUndecrypted();
    const KeyPointer key(callOpenSSL([&] { return EVP_PKCS82PKEY(plain.get()); }));
    if (!key) throwFromQueue("The private key cannot be read, although its passphrase is right");
    ERR_clear_error();
    return KeyPair::fromNative(key.get());
}

KeyPair decryptTraditional(const std::string& header, const Bytes& data, Secret& secret) {
    EVP_CIPHER_INFO cipher{};
    std::string writable = header;
    if (callOpenSSL([&] { return PEM_get_EVP_CIPHER_INFO(writable.data(), &cipher); }) != 1) {
        throwFromQueue("The private key is encrypted in a way that OpenSSL does not support");
    }
    Secret octets{Bytes(data)};  // decrypted in place
    long size = octets.size();
    const int done = callOpenSSL([&] {
        auto* place = reinterpret_cast<unsigned char*>(octets.text().data());
        return PEM_do_header(&cipher, place, &size, giveSecret, &secret);
    });
    if (done != 1) throwUndecrypted();
    // One wrong passphrase of 256 looks right to the cipher, and what it gives is no key.
    const BytesView plain = BytesView(octets.text()).substr(0, static_cast<std::size_t>(size));
    const KeyPointer key(readDER(d2i_AutoPrivateKey, plain));
    ERR_clear_error();  // each decoder that was tried has left its reasons
    if (!key) throw Error(kWrong);
    return KeyPair::fromNative(key.get());
}

}  // namespace

bool EncryptedKey::isPKCS8(BytesView der) {
    const EncryptedPointer encrypted(readDER(d2i_X509_SIG, der));
    ERR_clear_error();
    return encrypted != nullptr;
}

KeyPair EncryptedKey::decrypt(Passphrase& passphrase) const {
    if (!passphrase) {
        throw Error(
            "The private key is encrypted, and there is no passphrase: load it with a function that returns the "
            "passphrase, or decrypt it first, as 'openssl pkey -in ENCRYPTED.pem -out PLAIN.pem' does");
    }
    Secret secret(passphrase());
    if (secret.text().empty()) throw Error("The private key is encrypted, and the passphrase that was given is empty");
    if (secret.text().size() > kLongestPassphrase) {
        throw ValueError("A passphrase has at most " + std::to_string(kLongestPassphrase) + " octets, not " +
                         std::to_string(secret.text().size()));
    }
    return header_ ? decryptTraditional(*header_, data_, secret) : decryptPKCS8(data_, secret);
}

std::string EncryptedKey::encryptPEM(const KeyPair& key, std::string_view passphrase) {
    if (passphrase.empty())
        throw ValueError("An empty passphrase protects nothing: give one, or write the key plainly");
    if (passphrase.size() > kLongestPassphrase) {
        throw ValueError("A passphrase has at most " + std::to_string(kLongestPassphrase) + " octets, not " +
                         std::to_string(passphrase.size()));
    }
    static constexpr const char* kWhat = "The private key cannot be encrypted";
    const PlainKeyPointer plain(callOpenSSL([&] { return EVP_PKEY2PKCS8(key.native()); }));
    if (!plain) throwFromQueue(kWhat);
    AlgorithmPointer algorithm(callOpenSSL(
        [&] { return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kIterations, nullptr, 0, nullptr, NID_hmacWithSHA256); }));
    if (!algorithm) throwFromQueue(kWhat);
    const EncryptedPointer encrypted(callOpenSSL([&] {
        return PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), plain.get(), algorithm.get());
    }));
    if (!encrypted) throwFromQueue(kWhat);
    static_cast<void>(algorithm.release());  // now the encrypted key's
    const BIOPointer bio = collectingBIO();
    if (callOpenSSL([&] { return PEM_write_bio_PKCS8(bio.get(), encrypted.get()); }) != 1) throwFromQueue(kWhat);
    return contents(bio.get());
}

}  // namespace torsion::ssl
