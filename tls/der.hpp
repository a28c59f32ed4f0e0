#pragma once

// Private to the tls folder.

#include <memory>
#include <string>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>

namespace torsion::ssl {

/// What one of OpenSSL's i2d functions writes. @p what says what could not be done. @throws ssl::Error
template <class Write>
Bytes writeDER(Write write, const std::string& what) {
    unsigned char* data = nullptr;
    const int size = callOpenSSL([&] { return write(&data); });
    if (size < 0) throwFromQueue(what);
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(data,
                                                                         [](unsigned char* p) { OPENSSL_free(p); });
    return Bytes(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

/// What one of OpenSSL's d2i functions reads, or null with its reasons in the queue.
template <class Read>
auto readDER(Read read, BytesView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    return callOpenSSL([&] { return read(nullptr, &data, static_cast<long>(der.size())); });
}

}  // namespace torsion::ssl
