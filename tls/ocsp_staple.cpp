#include <torsion/tls/ocsp_staple.hpp>

#include <mutex>
#include <utility>

#include <torsion/core/log.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/ocsp_policy.hpp>
#include <torsion/tls/ocsp_response.hpp>

namespace torsion::ssl {

namespace {

std::optional<Certificate> issuerOf(const PrivateCertificate& certificate) {
    if (!certificate.chain().empty()) return certificate.chain().front();
    if (certificate.isSelfIssued()) return certificate;
    return std::nullopt;
}

}  // namespace

struct OCSPStaple::State {
    State(const Certificate& subject, std::optional<Certificate> signer)
        : certificate(subject), issuer(std::move(signer)) {}

    const Certificate certificate;
    const std::optional<Certificate> issuer;

    mutable std::mutex mutex;
    Bytes response;
    OCSPStatus status;
    bool complained = false;
    std::function<Clock::time_point()> now = Clock::now;
};

OCSPStaple::OCSPStaple(const PrivateCertificate& certificate)
    : state_(std::make_shared<State>(certificate, issuerOf(certificate))) {}

OCSPStaple::OCSPStaple(const Certificate& certificate, const Certificate& issuer)
    : state_(std::make_shared<State>(certificate, issuer)) {}

void OCSPStaple::set(BytesView der) {
    std::function<Clock::time_point()> now;
    {
        const std::lock_guard lock(state_->mutex);
        now = state_->now;
    }
    const std::string subject = "For " + state_->certificate.str() + ": the OCSP response ";
    try {
        const OCSPResponse response(der);
        X509* issuer = state_->issuer ? state_->issuer->native() : nullptr;
        const OCSPStatus status = response.statusOf(state_->certificate.native(), issuer);
        if (issuer != nullptr) response.verify(issuer);
        const Clock::time_point time = now();
        // What has ended is of no use to clients whose clocks are right.
        const auto skew = status.end() < time ? std::chrono::seconds(0) : kDefaultOCSPSkew;
        const std::string objection = status.objection(time, skew);
        if (!objection.empty()) throw Error(objection);
        const std::lock_guard lock(state_->mutex);
        state_->response = der;
        state_->status = status;
        state_->complained = false;
    } catch (const Error& error) {
        throw Error(subject + error.what(), {}, std::nullopt);
    }
}

void OCSPStaple::clear() {
    const std::lock_guard lock(state_->mutex);
    state_->response.clear();
}

Bytes OCSPStaple::current() const {
    bool complain = false;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->response.empty() || state_->status.end() >= state_->now()) return state_->response;
        complain = !std::exchange(state_->complained, true);
    }
    if (complain) {  // not under the lock: an observer of the log may set a new one
        log::warn("the OCSP response for " + state_->certificate.str() +
                      " is not good any more and is not sent: it must be replaced",
                  "ssl");
    }
    return {};
}

std::optional<OCSPStaple::Clock::time_point> OCSPStaple::nextUpdate() const {
    const std::lock_guard lock(state_->mutex);
    return state_->response.empty() ? std::nullopt : state_->status.nextUpdate;
}

const Certificate& OCSPStaple::certificate() const noexcept { return state_->certificate; }

void OCSPStaple::setClock(std::function<Clock::time_point()> now) {
    const std::lock_guard lock(state_->mutex);
    state_->now = std::move(now);
}

}  // namespace torsion::ssl
