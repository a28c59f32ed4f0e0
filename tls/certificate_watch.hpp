#pragma once

#include <torsion/core/delayed_call.hpp>
#include <torsion/core/duration.hpp>
#include <torsion/core/reactor_time.hpp>
#include <torsion/tls/certificate_directory.hpp>

namespace torsion::ssl {

/// Looks at a CertificateDirectory's files at an interval, and reads them again when they have changed. It does so for
/// as long as it lives, on the reactor's thread, where it must be made and destroyed; it may outlive the reactor.
class CertificateWatch {
public:
    /// @throws ValueError unless @p interval is positive
    CertificateWatch(ReactorTime& clock, CertificateDirectory certificates, Duration interval);
    CertificateWatch(const CertificateWatch&) = delete;
    CertificateWatch& operator=(const CertificateWatch&) = delete;
    ~CertificateWatch();

private:
    void look();

    ReactorTime& clock_;
    CertificateDirectory certificates_;
    Duration interval_;
    DelayedCall next_;
};

}  // namespace torsion::ssl
