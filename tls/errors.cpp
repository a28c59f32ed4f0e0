#include <torsion/tls/errors.hpp>

#include <array>
#include <utility>

#include <torsion/tls/openssl.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

constexpr int kLargestAlert = 255;

struct QueueEntry {
    int library;
    int reason;
    std::string text;
};

std::vector<QueueEntry> drainQueue() {
    std::vector<QueueEntry> entries;
    const char* data = nullptr;
    int flags = 0;
    while (const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags)) {
        std::array<char, 256> text{};
        ERR_error_string_n(code, text.data(), text.size());
        QueueEntry entry{ERR_GET_LIB(code), ERR_GET_REASON(code), text.data()};
        if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != '\0')
            entry.text += std::string(" (") + data + ")";
        entries.push_back(std::move(entry));
    }
    return entries;
}

std::vector<std::string> textsOf(const std::vector<QueueEntry>& entries) {
    std::vector<std::string> texts;
    for (const QueueEntry& entry : entries) texts.push_back(entry.text);
    return texts;
}

std::string withTexts(const std::string& text, const std::vector<std::string>& openSSLTexts) {
    if (openSSLTexts.empty()) return text;
    std::string result = text + " (OpenSSL: ";
    const char* separator = "";
    for (const std::string& part : openSSLTexts) {
        result += separator + part;
        separator = "; ";
    }
    return result + ")";
}

/// What it means that the peer sent an alert (RFC 8446, 6.2), seen from our side.
std::string explainAlert(int alert) {
    switch (alert) {
        case SSL_AD_UNEXPECTED_MESSAGE: return "unexpected_message: it received something that did not belong there";
        case SSL_AD_BAD_RECORD_MAC: return "bad_record_mac: it could not decrypt what we sent";
        case SSL_AD_RECORD_OVERFLOW: return "record_overflow: it received a record that is too long";
        case SSL_AD_HANDSHAKE_FAILURE:
            return "handshake_failure: we have no cipher or other parameter in common, or it wants a certificate of us";
        case SSL_AD_BAD_CERTIFICATE:
            return "bad_certificate: it does not accept our certificate, such as for a wrong name";
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
            return "unsupported_certificate: our certificate is of a kind it does not accept";
        case SSL_AD_CERTIFICATE_REVOKED: return "certificate_revoked: our certificate was revoked";
        case SSL_AD_CERTIFICATE_EXPIRED: return "certificate_expired: our certificate is expired or not valid yet";
        case SSL_AD_CERTIFICATE_UNKNOWN: return "certificate_unknown: it does not accept our certificate";
        case SSL_AD_ILLEGAL_PARAMETER: return "illegal_parameter: it received a value that makes no sense";
        case SSL_AD_UNKNOWN_CA: return "unknown_ca: it does not trust the issuer of our certificate";
        case SSL_AD_ACCESS_DENIED: return "access_denied: it knows our certificate, and refuses us";
        case SSL_AD_DECODE_ERROR: return "decode_error: it could not read what we sent";
        case SSL_AD_DECRYPT_ERROR: return "decrypt_error: a signature or a key check failed";
        case SSL_AD_PROTOCOL_VERSION: return "protocol_version: we have no TLS version in common";
        case SSL_AD_INSUFFICIENT_SECURITY: return "insufficient_security: it demands stronger ciphers than we offer";
        case SSL_AD_INTERNAL_ERROR: return "internal_error: it has a fault of its own";
        case SSL_AD_INAPPROPRIATE_FALLBACK: return "inappropriate_fallback: somebody forces us to an older TLS version";
        case SSL_AD_USER_CANCELLED: return "user_canceled: it gave the handshake up";
        case SSL_AD_NO_RENEGOTIATION: return "no_renegotiation: it does not renegotiate";
        case SSL_AD_MISSING_EXTENSION: return "missing_extension: it misses something in our handshake";
        case SSL_AD_UNRECOGNIZED_NAME: return "unrecognized_name: it does not serve the host name that we asked for";
        case SSL_AD_CERTIFICATE_REQUIRED: return "certificate_required: it demands a certificate, and we showed none";
        case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
            return "bad_certificate_status_response: it does not accept the OCSP response that we stapled, or misses "
                   "one";
        case SSL_AD_NO_APPLICATION_PROTOCOL:
            return "no_application_protocol: it speaks none of the protocols that we offer";
        default: return "number " + std::to_string(alert);
    }
}

/// In words what one of OpenSSL's reasons means; null for those that need no more than OpenSSL's own text.
const char* explainReason(int reason) {
    switch (reason) {
        case SSL_R_HTTP_REQUEST: return "The peer speaks plain HTTP to a TLS port: it must use https";
        case SSL_R_HTTPS_PROXY_REQUEST: return "The peer takes this TLS port for an HTTP proxy";
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_BAD_RECORD_TYPE:
        case SSL_R_UNKNOWN_PROTOCOL:
            return "The peer does not speak TLS here, or only a version that is too old: it may be a plaintext port, "
                   "or one "
                   "that wants STARTTLS first";
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_NO_PROTOCOLS_AVAILABLE:
        case SSL_R_VERSION_TOO_LOW:
        case SSL_R_VERSION_TOO_HIGH: return "We have no TLS version in common with the peer";
        case SSL_R_NO_SHARED_CIPHER:
        case SSL_R_NO_CIPHERS_AVAILABLE:
        case SSL_R_WRONG_CIPHER_RETURNED:
            return "We have no cipher in common with the peer, or none that goes with the server's certificate";
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: return "We have no signature algorithm in common with the peer";
        case SSL_R_NO_SUITABLE_KEY_SHARE:
        case SSL_R_NO_SUITABLE_GROUPS:
        case SSL_R_NO_SHARED_GROUPS: return "We have no key exchange group in common with the peer";
        case SSL_R_NO_APPLICATION_PROTOCOL: return "The peer offers none of the application protocols that we speak";
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "The peer showed no certificate, and we demand one";
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        case SSL_R_DECRYPTION_FAILED:
            return "What the peer sent cannot be decrypted: it was damaged or forged on the way";
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_DATA_LENGTH_TOO_LONG:
        case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
        case SSL_R_EXCESSIVE_MESSAGE_SIZE:
            return "The peer sent a record that is too long, or does not speak TLS at all";
        case SSL_R_UNEXPECTED_MESSAGE:
        case SSL_R_UNEXPECTED_RECORD: return "The peer sent something that does not belong there";
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return "The peer ended the connection without close_notify";
        case SSL_R_DH_KEY_TOO_SMALL: return "The Diffie-Hellman group is too small to be safe";
        case SSL_R_EE_KEY_TOO_SMALL: return "The key of our certificate is too small for the security level";
        case SSL_R_CA_KEY_TOO_SMALL: return "The key of an authority is too small for the security level";
        case SSL_R_CA_MD_TOO_WEAK: return "A certificate is signed with a digest too weak for the security level";
        case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
            return "The peer knows only the unsafe kind of renegotiation (RFC 5746)";
        default: return nullptr;
    }
}

/// What to do about a certificate that was refused, or why it was.
std::string adviseOnChain(int code, const Refusal& refusal) {
    switch (code) {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "it signed itself and is not among our trust roots; if it is the right one, trust it explicitly";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return "its authority is not among our trust roots; if it is the right one, trust it explicitly";
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return "its issuer '" + refusal.issuer +
                   "' is neither among our trust roots nor sent by the peer; trust the authority explicitly, have the "
                   "peer send "
                   "its whole chain, or install the platform's roots (package ca-certificates)";
        case X509_V_ERR_CERT_HAS_EXPIRED: return "it expired at " + refusal.notAfter;
        case X509_V_ERR_CERT_NOT_YET_VALID: return "it is valid from " + refusal.notBefore + "; is the clock right?";
        case X509_V_ERR_INVALID_PURPOSE:
            return "it was not made for this side of a TLS connection: its extendedKeyUsage must have serverAuth for a "
                   "server, clientAuth for a client";
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_INVALID_NON_CA: return "it is used as an authority, and is none";
        case X509_V_ERR_CERT_CHAIN_TOO_LONG:
            return "there are more certificates up to the root than verifyDepth allows";
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL: return "its key is too small for the security level";
        case X509_V_ERR_CA_MD_TOO_WEAK: return "it is signed with a digest too weak for the security level";
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return "it was not signed by the key of '" + refusal.issuer +
                   "' that we know: the authority may have a new key, and we its old certificate";
        case X509_V_ERR_PATH_LENGTH_EXCEEDED: return "an authority above it may not have so many below itself";
        case X509_V_ERR_CERT_REVOKED:
            return "the revocation list of '" + refusal.issuer + "' names it: it must be replaced";
        case X509_V_ERR_UNABLE_TO_GET_CRL:
            return "revocationLists has no list of its issuer '" + refusal.issuer + "', and demands one";
        case X509_V_ERR_CRL_HAS_EXPIRED:
            return "the revocation list of its issuer '" + refusal.issuer + "' is out of date: load a newer one";
        case X509_V_ERR_CRL_NOT_YET_VALID:
            return "the revocation list of its issuer '" + refusal.issuer + "' is from the future; is the clock right?";
        case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
            return "the revocation list of its issuer '" + refusal.issuer + "' was signed with another key than its";
        case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
            return "its issuer '" + refusal.issuer + "' may not sign revocation lists (keyUsage cRLSign)";
        default: return "";
    }
}

bool isIdentityError(int code) noexcept {
    return code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH;
}

std::string wantedIdentity(const SSL* connection, int code) {
    // OpenSSL takes a non-const object here and does not change it.
    X509_VERIFY_PARAM* parameters = SSL_get0_param(const_cast<SSL*>(connection));
    if (code == X509_V_ERR_HOSTNAME_MISMATCH) {
        const char* host = X509_VERIFY_PARAM_get0_host(parameters, 0);
        return host != nullptr ? host : "";
    }
    const std::unique_ptr<char, void (*)(char*)> address(X509_VERIFY_PARAM_get1_ip_asc(parameters),
                                                         [](char* p) { OPENSSL_free(p); });
    return address ? address.get() : "";
}

std::string quotedList(const std::vector<std::string>& names) {
    static constexpr std::size_t kMost = 20;  // certificates of content networks carry hundreds
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < kMost; ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
    if (names.size() > kMost) text += " and " + std::to_string(names.size() - kMost) + " more";
    return text;
}

std::string listOf(const std::vector<std::string>& pins) {
    std::string text;
    for (const std::string& pin : pins) text += (text.empty() ? "" : ", ") + pin;
    return text;
}

Failure pinFailure(const Refusal& refusal, std::vector<std::string> texts) {
    const std::string text = "The peer's public key is not one that was pinned: its certificate for '" +
                             refusal.subject + "' and those above it have " + listOf(refusal.pinsSeen) +
                             ", and one of " + listOf(refusal.pinsWanted) +
                             " is wanted; if the key was changed on purpose, pin the new one, otherwise somebody may "
                             "sit in between";
    return Failure(PinMismatch(text, std::move(texts), refusal.pinsSeen, refusal.pinsWanted));
}

Failure stapleFailure(const SSL* connection, std::vector<std::string> texts) {
    const Refusal* refusal = Refusal::find(connection);
    std::string text = "The peer's certificate is not accepted: ";
    text += refusal != nullptr && !refusal->stapleProblem.empty() ? refusal->stapleProblem
                                                                  : "its revocation status could not be verified";
    if (refusal != nullptr) text += " (subject '" + refusal->subject + "')";
    return Failure(CertificateVerifyError(text, std::move(texts)));
}

Failure verificationFailure(const SSL* connection, std::vector<std::string> texts) {
    static const Refusal kNothingNoted;
    const Refusal* found = Refusal::find(connection);
    const Refusal& refusal = found != nullptr ? *found : kNothingNoted;
    if (!refusal.pinsWanted.empty()) return pinFailure(refusal, std::move(texts));
    const int code =
        refusal.verifyError != X509_V_OK ? refusal.verifyError : static_cast<int>(SSL_get_verify_result(connection));

    if (isIdentityError(code)) {
        std::string text = "The peer's certificate is not for '" + wantedIdentity(connection, code) + "': it is for ";
        text += refusal.names.empty()
                    ? "no host at all, having no subjectAltName (its subject is '" + refusal.subject + "')"
                    : quotedList(refusal.names);
        return Failure(VerificationError(text, std::move(texts)));
    }
    std::string text = std::string("The peer's certificate is not accepted: ") + X509_verify_cert_error_string(code) +
                       " (subject '" + refusal.subject + "', depth " + std::to_string(refusal.depth) + ")";
    const std::string advice = adviseOnChain(code, refusal);
    if (!advice.empty()) text += "; " + advice;
    return Failure(CertificateVerifyError(text, std::move(texts)));
}

}  // namespace

Error::Error(const std::string& text, std::vector<std::string> openSSLTexts, std::optional<int> alert)
    : torsion::Error(withTexts(text, openSSLTexts)),
      texts_(std::make_shared<const std::vector<std::string>>(std::move(openSSLTexts))),
      alert_(alert) {}

PinMismatch::PinMismatch(const std::string& text, std::vector<std::string> openSSLTexts, std::vector<std::string> seen,
                         std::vector<std::string> wanted)
    : CertificateVerifyError(text, std::move(openSSLTexts)),
      pins_(std::make_shared<const std::pair<std::vector<std::string>, std::vector<std::string>>>(std::move(seen),
                                                                                                  std::move(wanted))) {}

Failure failureFromQueue(const ssl_st* connection) {
    const std::vector<QueueEntry> entries = drainQueue();
    std::vector<std::string> texts = textsOf(entries);
    for (const QueueEntry& entry : entries) {
        if (entry.library != ERR_LIB_SSL) continue;
        if (entry.reason == SSL_R_CERTIFICATE_VERIFY_FAILED && connection != nullptr) {
            return verificationFailure(connection, std::move(texts));
        }
        if (entry.reason == SSL_R_CALLBACK_FAILED && connection != nullptr) {
            const Refusal* refusal = Refusal::find(connection);
            if (refusal != nullptr && !refusal->serverName.empty())
                return Failure(Error(refusal->serverName, std::move(texts)));
        }
        if (entry.reason == SSL_R_INVALID_STATUS_RESPONSE && connection != nullptr) {
            return stapleFailure(connection, std::move(texts));
        }
        const int alert = entry.reason - SSL_AD_REASON_OFFSET;
        if (alert > 0 && alert <= kLargestAlert) {
            return Failure(Error("The peer ended TLS with the alert " + explainAlert(alert), std::move(texts), alert));
        }
        if (const char* text = explainReason(entry.reason)) return Failure(Error(text, std::move(texts)));
    }
    return Failure(Error(entries.empty() ? "TLS failed, and OpenSSL gave no reason" : "TLS failed", std::move(texts)));
}

void throwFromQueue(const std::string& what) {
    const std::vector<QueueEntry> entries = drainQueue();
    std::string text = what;
    for (const QueueEntry& entry : entries) {
        const char* explanation = entry.library == ERR_LIB_SSL ? explainReason(entry.reason) : nullptr;
        if (explanation == nullptr) continue;
        text += std::string(": ") + explanation;
        break;
    }
    throw Error(text, textsOf(entries));
}

}  // namespace torsion::ssl
