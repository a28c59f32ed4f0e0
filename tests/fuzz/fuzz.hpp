#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <torsion/core/bytes.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/private_certificate.hpp>
#include <torsion/tls/tls_version.hpp>

/// What a fuzz target consists of: the two functions below, in one source file. It is linked with libFuzzer, and with
/// mutate.cpp, which does without.
namespace torsion::fuzz {

/// Longer inputs are not tried.
inline constexpr std::size_t kLongestInput = 1U << 16;

/// Runs one input. What must not happen ends the process: an exception that leaves it, a failed require(), whatever a
/// sanitizer finds. Must do the same each time.
void run(BytesView input);

/// Inputs to begin with, made at run time.
std::vector<Bytes> seeds();

/// @p what is a rule that the library has to keep.
inline void require(bool kept, const char* what) {
    if (kept) return;
    std::fprintf(stderr, "fuzz: broken: %s\n", what);
    std::abort();
}

/// Reads an input from its begin. Behind its end there are zeros.
class Input {
public:
    explicit Input(BytesView octets) noexcept : rest_(octets) {}

    bool empty() const noexcept { return rest_.empty(); }

    std::uint8_t octet() noexcept {
        if (rest_.empty()) return 0;
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }

    /// From 0 to @p most, out of one octet.
    std::size_t upTo(std::size_t most) noexcept { return octet() % (most + 1); }

    /// The next octets, at most @p count.
    BytesView take(std::size_t count) noexcept {
        const BytesView taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }

    BytesView rest() noexcept { return take(rest_.size()); }

private:
    BytesView rest_;
};

/// OpenSSL's random numbers are not random here: each stream is a fixed sequence, so that a handshake comes out the
/// same whenever it is made.
void restartRandomness();

/// From now on numbers come from the sequence of @p stream, where it was left.
void useRandomness(unsigned stream);

/// A certificate for example.com, the same in every process. From a sequence of its own.
const ssl::PrivateCertificate& certificate();

const ssl::CertificateOptions& serverOptions(ssl::TLSVersion highest);
const ssl::ClientTLSOptions& clientOptions();

}  // namespace torsion::fuzz
