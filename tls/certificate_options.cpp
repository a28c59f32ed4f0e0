#include <torsion/tls/certificate_options.hpp>

#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/context.hpp>
#include <torsion/tls/public_key_pin.hpp>
#include <torsion/tls/session.hpp>

namespace torsion::ssl {

using Parameters = CertificateOptions::Parameters;

CertificateOptions::CertificateOptions(const PrivateCertificate& certificate)
    : CertificateOptions(Parameters(certificate)) {}

CertificateOptions::CertificateOptions(const Parameters& parameters)
    : context_(std::make_shared<const Context>(parameters, Role::server, nullptr)),
      handshakeTimeout_(parameters.handshakeTimeout_),
      closeTimeout_(parameters.closeTimeout_) {}

std::shared_ptr<const ContextFactory> CertificateOptions::share() const {
    return std::make_shared<CertificateOptions>(*this);
}

std::unique_ptr<Session> CertificateOptions::newSession(Role role, const SessionOptions& options) const {
    if (role == Role::client) {
        throw TypeError(
            "CertificateOptions cannot serve a client, since they name no host to verify: use "
            "optionsForClientTLS(hostname, "
            "...), or insecureOptionsForClientTLS() to verify nobody");
    }
    if (!context_->hasCertificate()) {
        throw TypeError("CertificateOptions without privateKey and certificate cannot serve a server");
    }
    return context_->newSession(options, "");
}

CertificateOptions& CertificateOptions::setHandshakeTimeout(Duration timeout) {
    handshakeTimeout_ = checkedTimeout(timeout, "handshake timeout");
    return *this;
}

CertificateOptions& CertificateOptions::setCloseTimeout(Duration timeout) {
    closeTimeout_ = checkedTimeout(timeout, "close timeout");
    return *this;
}

Parameters::Parameters(const PrivateCertificate& certificate)
    : privateKey_(certificate.privateKey()), certificate_(certificate) {
    if (!certificate.chain().empty()) extraCertChain_ = certificate.chain();
}

Parameters& Parameters::privateKey(const KeyPair& key) {
    privateKey_ = key;
    return *this;
}

Parameters& Parameters::certificate(const Certificate& certificate) {
    certificate_ = certificate;
    return *this;
}

Parameters& Parameters::extraCertChain(std::vector<Certificate> chain) {
    extraCertChain_ = std::move(chain);
    return *this;
}

Parameters& Parameters::dhParameters(const DiffieHellmanParameters& parameters) {
    dhParameters_ = parameters;
    return *this;
}

Parameters& Parameters::acceptableCiphers(const AcceptableCiphers& ciphers) {
    acceptableCiphers_ = ciphers;
    return *this;
}

Parameters& Parameters::raiseMinimumTo(TLSVersion version) {
    raiseMinimumTo_ = version;
    return *this;
}

Parameters& Parameters::insecurelyLowerMinimumTo(TLSVersion version) {
    insecurelyLowerMinimumTo_ = version;
    return *this;
}

Parameters& Parameters::lowerMaximumSecurityTo(TLSVersion version) {
    lowerMaximumSecurityTo_ = version;
    return *this;
}

Parameters& Parameters::acceptableProtocols(std::vector<std::string> protocols) {
    acceptableProtocols_ = std::move(protocols);
    return *this;
}

Parameters& Parameters::trustRoot(const TrustRoot& trustRoot) {
    trustRoot_ = trustRoot;
    return *this;
}

Parameters& Parameters::verify(bool enabled) {
    verify_ = enabled;
    return *this;
}

Parameters& Parameters::caCerts(std::vector<Certificate> authorities) {
    caCerts_ = std::move(authorities);
    return *this;
}

Parameters& Parameters::requireCertificate(bool required) {
    requireCertificate_ = required;
    return *this;
}

Parameters& Parameters::verifyDepth(int depth) {
    if (depth < 0) throw ValueError("verifyDepth must not be negative");
    verifyDepth_ = depth;
    return *this;
}

Parameters& Parameters::revocationLists(std::vector<RevocationList> lists, RevocationScope scope) {
    if (lists.empty()) throw ValueError("revocationLists needs at least one list; with none nobody is accepted");
    revocationLists_ = std::move(lists);
    revocationScope_ = scope;
    return *this;
}

Parameters& Parameters::requestOCSP(OCSPPolicy policy, std::chrono::seconds skew) {
    if (skew < std::chrono::seconds(0)) throw ValueError("The skew of requestOCSP must not be negative");
    ocspPolicy_ = policy;
    ocspSkew_ = skew;
    return *this;
}

Parameters& Parameters::ocspStaple(const OCSPStaple& staple) {
    ocspStaple_ = staple;
    return *this;
}

Parameters& Parameters::ocspResponse(Bytes der) {
    ocspResponse_ = std::move(der);
    return *this;
}

Parameters& Parameters::pinnedPublicKeys(const std::vector<std::string>& pins) {
    pins_ = checkedPins(pins);
    return *this;
}

Parameters& Parameters::enableSessions(bool enabled) {
    enableSessions_ = enabled;
    return *this;
}

Parameters& Parameters::enableSessionTickets(bool enabled) {
    enableSessionTickets_ = enabled;
    return *this;
}

Parameters& Parameters::ticketKeys(const TicketKeys& keys) {
    ticketKeys_ = keys;
    enableSessionTickets_ = true;
    return *this;
}

Parameters& Parameters::numTickets(std::size_t count) {
    if (count > kMostTickets) {
        throw ValueError("numTickets must not be above " + std::to_string(kMostTickets) + ", and is " +
                         std::to_string(count));
    }
    numTickets_ = count;
    return *this;
}

Parameters& Parameters::sessionCacheSize(std::size_t count) {
    if (count == 0 || count > kMostSessions) {
        throw ValueError("sessionCacheSize must be 1 to " + std::to_string(kMostSessions) + ", and is " +
                         std::to_string(count) + "; to keep none, leave enableSessions off");
    }
    sessionCacheSize_ = count;
    return *this;
}

Parameters& Parameters::sessionTimeout(Duration timeout) {
    if (timeout < std::chrono::seconds(1) || timeout > kLongestSessionTimeout) {
        throw ValueError("sessionTimeout must be one second to seven days");
    }
    sessionTimeout_ = timeout;
    return *this;
}

Parameters& Parameters::keyLog(const KeyLog& log) {
    keyLog_ = log;
    return *this;
}

Parameters& Parameters::keyLogFromEnvironment() {
    if (const std::optional<KeyLog> log = KeyLog::fromEnvironment()) keyLog_ = log;
    return *this;
}

Parameters& Parameters::handshakeTimeout(Duration timeout) {
    handshakeTimeout_ = checkedTimeout(timeout, "handshake timeout");
    return *this;
}

Parameters& Parameters::closeTimeout(Duration timeout) {
    closeTimeout_ = checkedTimeout(timeout, "close timeout");
    return *this;
}

}  // namespace torsion::ssl
