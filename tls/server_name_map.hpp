#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/certificate_options.hpp>

namespace torsion::ssl {

/// A server's recipe for several names: each connection gets the CertificateOptions of the host name that its client
/// asks for (SNI, RFC 6066; in Twisted the package txsni). Immutable, cheap to copy, may be shared by threads.
///
///     ServerNameMap(ServerNameMap::Entries()
///                       .add(shop.options())                               // the names of its certificate
///                       .add({"intern.example"}, staff.options(authority))  // demands certificates of its clients
///                       .byDefault(shop.options()))
///
/// The choice is made when the ClientHello has come and before anything is decided by it, so all of an entry counts:
/// certificate and chain, what it demands of clients and whom it trusts then, versions, ciphers and application
/// protocols, the keys that seal tickets. What is common to all is taken from the default, or without one from the
/// first entry: the timeouts, and the cache of sessions with its size. Nonetheless a session of one entry is resumed
/// under another only if both show the same certificate, demand the same of clients and share their TicketKeys.
class ServerNameMap final : public ContextFactory {
public:
    class Entries;

    /// @throws ValueError if there is no entry, or if some of them cache sessions (enableSessions) and others do not
    /// @throws TypeError if one has no certificate
    explicit ServerNameMap(const Entries& entries);

    /// Whom a client that asks for @p serverName gets to see; null if it is sent away. Case and a final dot do not
    /// count; empty stands for a client that asks for nobody.
    const CertificateOptions* find(std::string_view serverName) const;

    /// All names, in alphabetical order; those with a wildcard come last.
    std::vector<std::string> names() const;

    std::shared_ptr<const ContextFactory> share() const override;

    /// @throws TypeError for a client
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override;

    Duration handshakeTimeout() const override;
    Duration closeTimeout() const override;

private:
    class Table;

    static const Context& contextOf(const CertificateOptions& options) noexcept { return *options.context_; }

    std::shared_ptr<const Table> table_;
};

/// What a ServerNameMap is made of. Each setter returns the object, so that they chain.
class ServerNameMap::Entries {
public:
    /// Serves the DNS names of the certificate of @p options. The first label of a name may be "*", which stands for
    /// exactly one label. Its IP addresses do not count, since clients ask for names only.
    /// @throws ValueError if there is no such name, or one that another entry has already
    Entries& add(const CertificateOptions& options);

    /// Serves these names, whatever the certificate says. @throws ValueError for one that is no DNS name, or taken
    Entries& add(const std::vector<std::string>& names, const CertificateOptions& options);

    /// Serves clients that ask for nobody, or for a name that no entry has. Without a default they are sent away with
    /// the alert missing_extension or unrecognized_name. Its names need an entry of their own only if unknown names are
    /// refused.
    Entries& byDefault(const CertificateOptions& options);

    /// Sends clients away that ask for a name that no entry has, although there is a default for those that ask for
    /// nobody.
    Entries& refuseUnknownNames(bool refused = true);

private:
    friend class ServerNameMap;

    struct Entry {
        std::vector<std::string> names;
        CertificateOptions options;
    };

    std::vector<Entry> entries_;
    std::set<std::string, std::less<>> taken_;  // all of their names
    std::vector<CertificateOptions> default_;   // none or one
    bool refuseUnknownNames_ = false;
};

/// The DNS names of @p certificate that a client can ask for, in the form in which they are compared: lower case,
/// without a final dot. What is no proper name is left out.
std::vector<std::string> serverNamesOf(const Certificate& certificate);

}  // namespace torsion::ssl
