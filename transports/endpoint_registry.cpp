#include <torsion/transports/endpoint_registry.hpp>

#include <map>
#include <mutex>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/transports/endpoint_parsers.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion::endpoints {

namespace {

/// The types of one side.
template <class Parser>
class Registry {
public:
    Registry(const char* side, std::map<std::string, Parser> builtIn)
        : side_(side), builtIn_(std::move(builtIn)), parsers_(builtIn_) {}

    void add(const std::string& prefix, Parser parser) {
        if (!parser) throw ValueError(about(prefix) + "there is no parser to register");
        if (prefix.empty() || prefix.find_first_of(":=\\") != std::string::npos) {
            throw ValueError(about(prefix) +
                             "a prefix is not empty, and has neither colons nor equals signs nor backslashes");
        }
        const std::string key = detail::lowerCase(prefix);
        if (builtIn_.count(key) != 0) throw ValueError(about(prefix) + "it is built in");
        const std::lock_guard lock(mutex_);
        if (!parsers_.emplace(key, std::move(parser)).second) {
            throw ValueError(about(prefix) + "it is registered already");
        }
    }

    Parser of(const Description& description, const std::string& type) {
        const std::lock_guard lock(mutex_);
        const auto found = parsers_.find(type);
        if (found != parsers_.end()) return found->second;
        std::string known;
        for (const auto& [name, parser] : parsers_) known += (known.empty() ? "" : ", ") + name;
        throw ValueError("endpoint " + quoted(description.text) + ": unknown endpoint type: " +
                         quoted(description.type) + "; known " + side_ + " types: " + known);
    }

private:
    std::string about(const std::string& prefix) const { return side_ + " endpoint prefix " + quoted(prefix) + ": "; }

    const std::string side_;
    const std::map<std::string, Parser> builtIn_;
    std::mutex mutex_;
    std::map<std::string, Parser> parsers_;
};

Registry<ServerParser>& servers() {
    static Registry<ServerParser> registry("server", {{"fd", detail::fdServer},
                                                      {"ssl", detail::sslServer},
                                                      {"systemd", detail::systemdServer},
                                                      {"tcp", detail::tcpServer},
                                                      {"tcp6", detail::tcp6Server},
                                                      {"tls", detail::tlsServer},
                                                      {"txsni", detail::txsniServer},
                                                      {"unix", detail::unixServer}});
    return registry;
}

Registry<ClientParser>& clients() {
    static Registry<ClientParser> registry("client", {{"ssl", detail::sslClient},
                                                      {"tcp", detail::tcpClient},
                                                      {"tls", detail::tlsClient},
                                                      {"unix", detail::unixClient}});
    return registry;
}

}  // namespace

void registerServerPrefix(const std::string& prefix, ServerParser parser) { servers().add(prefix, std::move(parser)); }

void registerClientPrefix(const std::string& prefix, ClientParser parser) { clients().add(prefix, std::move(parser)); }

namespace detail {

std::string lowerCase(std::string text) {
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

ServerParser serverParser(const Description& description) {
    // Twisted matches its oldest types as they are given, those that came as plugins in any case (ES-2).
    std::string type = lowerCase(description.type);
    const bool oldest = type == "tcp" || type == "ssl" || type == "unix";
    return servers().of(description, oldest ? description.type : type);
}

ClientParser clientParser(const Description& description) {
    return clients().of(description, lowerCase(description.type));
}

void throwNoEndpoint(const Description& description) {
    throw TypeError("endpoint " + quoted(description.text) + ": the parser that is registered for " +
                    quoted(description.type) + " gave no endpoint");
}

}  // namespace detail

}  // namespace torsion::endpoints
