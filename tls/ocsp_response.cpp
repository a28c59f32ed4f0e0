#include <torsion/tls/ocsp_response.hpp>

#include <ctime>
#include <new>

#include <torsion/tls/errors.hpp>
#include <torsion/tls/ocsp_policy.hpp>

namespace torsion::ssl {

namespace {

using Clock = OCSPStatus::Clock;

std::string textOf(Clock::time_point time) {
    const std::time_t seconds = Clock::to_time_t(time);
    std::tm fields{};
    char text[64];
    if (gmtime_r(&seconds, &fields) == nullptr) return "an unreadable time";
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &fields));
}

/// Whether @p id is that of @p certificate. Responders choose the digest that it is made with.
bool isIdOf(OCSP_CERTID* id, X509* certificate, X509* issuer) {
    ASN1_OCTET_STRING* nameHash = nullptr;
    ASN1_OBJECT* algorithm = nullptr;
    ASN1_INTEGER* serial = nullptr;
    if (OCSP_id_get0_info(&nameHash, &algorithm, nullptr, &serial, id) != 1) return false;
    const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
    if (digest == nullptr) return false;
    if (issuer != nullptr) {
        const std::unique_ptr<OCSP_CERTID, Freer<OCSP_CERTID_free>> wanted(
            OCSP_cert_to_id(digest, certificate, issuer));
        return wanted && OCSP_id_cmp(wanted.get(), id) == 0;
    }
    unsigned char name[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0 &&
           X509_NAME_digest(X509_get_issuer_name(certificate), digest, name, &size) == 1 &&
           std::string_view(reinterpret_cast<char*>(name), size) ==
               std::string_view(reinterpret_cast<const char*>(ASN1_STRING_get0_data(nameHash)),
                                static_cast<std::size_t>(ASN1_STRING_length(nameHash)));
}

}  // namespace

Clock::time_point timePoint(const ASN1_TIME* time) {
    std::tm fields{};
    if (callOpenSSL([&] { return ASN1_TIME_to_tm(time, &fields); }) != 1) throwFromQueue("A time cannot be read");
    return Clock::from_time_t(timegm(&fields));
}

Clock::time_point OCSPStatus::end() const { return nextUpdate.value_or(thisUpdate + kMostOCSPAge); }

std::string OCSPStatus::objection(Clock::time_point now, std::chrono::seconds skew) const {
    if (status == V_OCSP_CERTSTATUS_REVOKED) {
        return "says that the certificate was revoked at " + since + (reason.empty() ? "" : " (" + reason + ")") +
               ": it must be replaced, and its key may be in other hands";
    }
    if (status != V_OCSP_CERTSTATUS_GOOD) return "says that the authority's responder does not know the certificate";
    if (thisUpdate > now + skew) {
        return "is not valid yet: it was made at " + textOf(thisUpdate) + ", and here it is " + textOf(now) +
               "; is the clock right?";
    }
    if (end() + skew < now) {
        return (nextUpdate ? "was good until "
                           : "does not say until when it is good, and was made more than a day ago, at ") +
               textOf(nextUpdate ? *nextUpdate : thisUpdate) + ", and here it is " + textOf(now) +
               ": the server must be given a new one";
    }
    return {};
}

OCSPResponse::OCSPResponse(BytesView der) {
    const auto* data = reinterpret_cast<const unsigned char*>(der.data());
    const auto* const end = data + der.size();
    const std::unique_ptr<OCSP_RESPONSE, Freer<OCSP_RESPONSE_free>> response(
        callOpenSSL([&] { return d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(der.size())); }));
    if (!response) throwFromQueue("cannot be read: it is not DER, or cut off");
    if (data != end) throw Error("cannot be read: there is something behind it");
    const int status = OCSP_response_status(response.get());
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        throw Error(std::string("says only that the responder failed: ") + OCSP_response_status_str(status));
    }
    basic_.reset(callOpenSSL([&] { return OCSP_response_get1_basic(response.get()); }));
    if (!basic_) throwFromQueue("is of a kind that is not known");
}

OCSPStatus OCSPResponse::statusOf(X509* certificate, X509* issuer) const {
    for (int i = 0; i < OCSP_resp_count(basic_.get()); ++i) {
        OCSP_SINGLERESP* single = OCSP_resp_get0(basic_.get(), i);
        // OpenSSL's getters want an id that they could change, and do not.
        if (!isIdOf(const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)), certificate, issuer)) continue;
        int reason = -1;
        ASN1_GENERALIZEDTIME* since = nullptr;
        ASN1_GENERALIZEDTIME* thisUpdate = nullptr;
        ASN1_GENERALIZEDTIME* nextUpdate = nullptr;
        OCSPStatus result;
        result.status = OCSP_single_get0_status(single, &reason, &since, &thisUpdate, &nextUpdate);
        result.thisUpdate = timePoint(thisUpdate);
        if (nextUpdate != nullptr) result.nextUpdate = timePoint(nextUpdate);
        if (result.status == V_OCSP_CERTSTATUS_REVOKED) {
            result.since = textOf(timePoint(since));
            if (reason >= 0) result.reason = OCSP_crl_reason_str(reason);
        }
        return result;
    }
    throw Error("is about another certificate");
}

void OCSPResponse::verify(X509* issuer) const {
    // Nobody but the issuer and whom it names itself may speak (RFC 6960, 4.2.2.2). So it alone is the anchor, whatever
    // else is trusted; what the response brings along only leads to it.
    const std::unique_ptr<X509_STORE, Freer<X509_STORE_free>> store(X509_STORE_new());
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> issuers(
        sk_X509_new_null(), [](STACK_OF(X509) * list) { sk_X509_free(list); });
    if (!store || !issuers || sk_X509_push(issuers.get(), issuer) <= 0) throw std::bad_alloc();
    if (callOpenSSL([&] { return X509_STORE_add_cert(store.get(), issuer); }) != 1) throw std::bad_alloc();
    const int verified = callOpenSSL([&] {
        return OCSP_basic_verify(basic_.get(), issuers.get(), store.get(),
                                 OCSP_TRUSTOTHER | OCSP_PARTIAL_CHAIN | OCSP_NOEXPLICIT);
    });
    if (verified != 1) {
        throwFromQueue("is not signed by the certificate's issuer, nor by a responder to whom that has delegated it");
    }
}

bool mustStaple(X509* certificate) noexcept {
    constexpr long kStatusRequest = 5;  // the TLS extension's number (RFC 6066)
    const std::unique_ptr<TLS_FEATURE, Freer<TLS_FEATURE_free>> features(
        static_cast<TLS_FEATURE*>(X509_get_ext_d2i(certificate, NID_tlsfeature, nullptr, nullptr)));
    for (int i = 0; features && i < sk_ASN1_INTEGER_num(features.get()); ++i) {
        if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features.get(), i)) == kStatusRequest) return true;
    }
    return false;
}

}  // namespace torsion::ssl
