#include <torsion/tls/openssl.hpp>

#include <climits>
#include <new>

#include <torsion/tls/errors.hpp>

namespace torsion::ssl {

BIOPointer readingBIO(std::string_view data) {
    if (data.size() > INT_MAX) throw Error("Certificate or key data is larger than 2 GiB");
    // An empty view may have no address, which OpenSSL would take for a failure.
    BIOPointer bio(BIO_new_mem_buf(data.empty() ? "" : data.data(), static_cast<int>(data.size())));
    if (!bio) throw std::bad_alloc();
    return bio;
}

BIOPointer collectingBIO() {
    BIOPointer bio(BIO_new(BIO_s_mem()));
    if (!bio) throw std::bad_alloc();
    return bio;
}

std::string contents(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string printable(std::string_view text) {
    std::string result(text);
    for (char& octet : result) {
        const auto code = static_cast<unsigned char>(octet);
        if (code < 0x20 || code == 0x7F) octet = '?';
    }
    return result;
}

}  // namespace torsion::ssl
