#include <torsion/tls/server_name_map.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/context.hpp>
#include <torsion/tls/identity.hpp>
#include <torsion/tls/server_name.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

constexpr std::string_view kAnyLabel = "*.";

/// A name that an entry is given. @throws ValueError
std::string checkedName(const std::string& name) {
    const Identity identity = Identity::parsePattern(name);
    if (identity.isAddress) {
        throw ValueError("'" + identity.name + "' cannot be a server name: clients ask for names, never for addresses");
    }
    return identity.name;
}

}  // namespace

std::vector<std::string> serverNamesOf(const Certificate& certificate) {
    std::vector<std::string> names;
    for (const std::string& name : certificate.subjectAltNames()) {
        try {
            const Identity identity = Identity::parsePattern(name);
            const bool known = std::find(names.begin(), names.end(), identity.name) != names.end();
            if (!identity.isAddress && !known) names.push_back(identity.name);
        } catch (const ValueError&) {
            // No client can ask for such a name.
        }
    }
    return names;
}

class ServerNameMap::Table final : public ServerNameSelector {
public:
    explicit Table(const Entries& entries)
        : default_(entries.default_.empty() ? std::nullopt : std::optional(entries.default_.front())),
          front_(frontOf(entries)),
          refuseUnknownNames_(entries.refuseUnknownNames_) {
        check(front_);
        for (const Entries::Entry& entry : entries.entries_) {
            check(entry.options);
            for (const std::string& name : entry.names) {
                if (std::string_view(name).starts_with(kAnyLabel)) {
                    wildcards_.emplace(name.substr(kAnyLabel.size()), entry.options);
                } else {
                    names_.emplace(name, entry.options);
                }
            }
        }
    }

    const Context* choose(const std::string& name) const override {
        const CertificateOptions* found = find(name);
        return found != nullptr ? found->context_.get() : nullptr;
    }

    /// @param name in plain form
    const CertificateOptions* find(const std::string& name) const {
        const CertificateOptions* const otherwise = default_ ? &*default_ : nullptr;
        if (name.empty()) return otherwise;
        if (const auto exact = names_.find(name); exact != names_.end()) return &exact->second;
        const std::size_t dot = name.find('.');
        if (dot != std::string::npos && dot > 0) {
            const auto wildcard = wildcards_.find(name.substr(dot + 1));
            if (wildcard != wildcards_.end()) return &wildcard->second;
        }
        return refuseUnknownNames_ ? nullptr : otherwise;
    }

    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& [name, options] : names_) all.push_back(name);
        for (const auto& [name, options] : wildcards_) all.push_back(std::string(kAnyLabel) + name);
        return all;
    }

    /// Whose context a connection has until its ClientHello comes.
    const CertificateOptions& front() const noexcept { return front_; }
    const Context& frontContext() const noexcept { return *front_.context_; }

private:
    static const CertificateOptions& frontOf(const Entries& entries) {
        if (!entries.default_.empty()) return entries.default_.front();
        if (entries.entries_.empty()) throw ValueError("A ServerNameMap needs at least one entry, or a default");
        return entries.entries_.front().options;
    }

    void check(const CertificateOptions& options) const {
        if (!options.context_->hasCertificate()) {
            throw TypeError("An entry of a ServerNameMap has no certificate, so it cannot serve anybody");
        }
        const auto caching = [](const CertificateOptions& one) {
            return SSL_CTX_get_session_cache_mode(one.context_->native());
        };
        if (caching(options) != caching(front_)) {
            throw ValueError(
                "The entries of a ServerNameMap share one cache of sessions: give all of them the same enableSessions");
        }
    }

    std::map<std::string, CertificateOptions> names_;
    std::map<std::string, CertificateOptions> wildcards_;  // by what stands behind "*."
    std::optional<CertificateOptions> default_;
    CertificateOptions front_;
    bool refuseUnknownNames_;
};

ServerNameMap::ServerNameMap(const Entries& entries) : table_(std::make_shared<const Table>(entries)) {}

const CertificateOptions* ServerNameMap::find(std::string_view serverName) const {
    return table_->find(plainServerName(serverName));
}

std::vector<std::string> ServerNameMap::names() const { return table_->names(); }

std::shared_ptr<const ContextFactory> ServerNameMap::share() const { return std::make_shared<ServerNameMap>(*this); }

std::unique_ptr<Session> ServerNameMap::newSession(Role role, const SessionOptions& options) const {
    if (role == Role::client) {
        throw TypeError("A ServerNameMap cannot serve a client: use optionsForClientTLS(hostname, ...)");
    }
    std::unique_ptr<Session> session = table_->frontContext().newSession(options, "");
    ConnectionState& state = ConnectionState::of(session->native());
    state.serverNames = table_;
    state.protocolsAreOwn = !options.acceptableProtocols.empty();
    return session;
}

Duration ServerNameMap::handshakeTimeout() const { return table_->front().handshakeTimeout(); }

Duration ServerNameMap::closeTimeout() const { return table_->front().closeTimeout(); }

using Entries = ServerNameMap::Entries;

Entries& Entries::add(const CertificateOptions& options) {
    X509* native = SSL_CTX_get0_certificate(ServerNameMap::contextOf(options).native());
    if (native == nullptr) throw TypeError("An entry of a ServerNameMap has no certificate to take its names from");
    const Certificate certificate = Certificate::fromNative(native);
    const std::vector<std::string> names = serverNamesOf(certificate);
    if (names.empty()) {
        throw ValueError("The certificate " + certificate.str() +
                         " has no DNS name that clients could ask for: give names, or make it the default");
    }
    return add(names, options);
}

Entries& Entries::add(const std::vector<std::string>& names, const CertificateOptions& options) {
    if (names.empty()) throw ValueError("An entry of a ServerNameMap needs at least one name");
    Entry entry{{}, options};
    for (const std::string& name : names) {
        entry.names.push_back(checkedName(name));
        if (taken_.contains(entry.names.back())) {
            throw ValueError("The server name '" + entry.names.back() + "' has an entry already");
        }
    }
    taken_.insert(entry.names.begin(), entry.names.end());
    entries_.push_back(std::move(entry));
    return *this;
}

Entries& Entries::byDefault(const CertificateOptions& options) {
    default_.assign(1, options);
    return *this;
}

Entries& Entries::refuseUnknownNames(bool refused) {
    refuseUnknownNames_ = refused;
    return *this;
}

}  // namespace torsion::ssl
