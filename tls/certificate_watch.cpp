#include <torsion/tls/certificate_watch.hpp>

#include <utility>

#include <torsion/core/error.hpp>

namespace torsion::ssl {

CertificateWatch::CertificateWatch(ReactorTime& clock, CertificateDirectory certificates, Duration interval)
    : clock_(clock), certificates_(std::move(certificates)), interval_(interval) {
    if (interval_ <= Duration::zero()) throw ValueError("the interval of a certificate watch must be positive");
    next_ = clock_.callLater(interval_, [this] { look(); });
}

CertificateWatch::~CertificateWatch() {
    if (next_.active()) next_.cancel();
}

void CertificateWatch::look() {
    next_ = clock_.callLater(interval_, [this] { look(); });  // first: if the rest throws, it goes on all the same
    certificates_.reloadIfChanged();
}

}  // namespace torsion::ssl
