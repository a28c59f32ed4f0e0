#include <torsion/tls/dh_parameters.hpp>

#include <openssl/pem.h>

#include <torsion/core/error.hpp>
#include <torsion/core/file.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

DiffieHellmanParameters::DiffieHellmanParameters(BytesView pem, const std::string& source) {
    const BIOPointer bio = readingBIO(pem);
    KeyPointer native(callOpenSSL([&] { return PEM_read_bio_Parameters(bio.get(), nullptr); }));
    ERR_clear_error();
    if (!native || (EVP_PKEY_is_a(native.get(), "DH") == 0 && EVP_PKEY_is_a(native.get(), "DHX") == 0)) {
        throw ValueError(source + " holds no Diffie-Hellman parameters in PEM; `openssl dhparam " +
                         std::to_string(kMinimumBits) + "` makes some");
    }
    native_ = std::shared_ptr<evp_pkey_st>(std::move(native));
    if (bits() < kMinimumBits) {
        throw ValueError("The Diffie-Hellman group in " + source + " has " + std::to_string(bits()) +
                         " bits, at least " + std::to_string(kMinimumBits) + " are needed; `openssl dhparam " +
                         std::to_string(kMinimumBits) + "` makes a new one");
    }
}

DiffieHellmanParameters DiffieHellmanParameters::fromFile(const std::string& path) {
    return DiffieHellmanParameters(readFile(path), path);
}

DiffieHellmanParameters DiffieHellmanParameters::fromPEM(BytesView pem) {
    return DiffieHellmanParameters(pem, "the text given");
}

int DiffieHellmanParameters::bits() const noexcept { return EVP_PKEY_get_bits(native_.get()); }

}  // namespace torsion::ssl
