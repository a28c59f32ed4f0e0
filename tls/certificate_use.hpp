#pragma once

namespace torsion::ssl {

/// What a new certificate is good for. Its extensions basicConstraints, keyUsage and extendedKeyUsage say so (RFC 5280,
/// 4.2.1), and peers hold it to that.
enum class CertificateUse {
    serverAndClient,
    server,
    client,
    authority,  ///< it signs other certificates
};

}  // namespace torsion::ssl
