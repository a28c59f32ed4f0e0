#pragma once

namespace torsion::ssl {

/// The versions of TLS, oldest first, so that they compare (twisted.internet.ssl.TLSVersion).
/// SSLv3 exists for completeness: an OpenSSL built without it, as all current ones are, refuses it at construction.
enum class TLSVersion { SSLv3, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3 };

/// "TLSv1.2": the name as OpenSSL prints it.
constexpr const char* versionName(TLSVersion version) noexcept {
    switch (version) {
        case TLSVersion::SSLv3: return "SSLv3";
        case TLSVersion::TLSv1_0: return "TLSv1";
        case TLSVersion::TLSv1_1: return "TLSv1.1";
        case TLSVersion::TLSv1_2: return "TLSv1.2";
        case TLSVersion::TLSv1_3: return "TLSv1.3";
    }
    return "unknown";
}

}  // namespace torsion::ssl
