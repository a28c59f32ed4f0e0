#include <torsion/transports/endpoint_strings.hpp>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <torsion/core/error.hpp>
#include <torsion/tls/certificate_directory.hpp>
#include <torsion/tls/certificate_watch.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/tls/session.hpp>
#include <torsion/transports/endpoint_certificates.hpp>
#include <torsion/transports/endpoint_parsers.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/hostname_endpoint.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>
#include <torsion/transports/wrap_server_tls.hpp>

namespace torsion::endpoints {

namespace {

void checkHost(const Arguments& arguments, const std::string& name) {
    try {
        checkHostname(arguments.required(name));
    } catch (const ValueError& error) {
        arguments.refuse(name, error.what());
    }
}

std::optional<ssl::PrivateCertificate> clientCertificate(const Arguments& arguments, const std::string& certificate) {
    const std::optional<std::string> path = arguments.optional(certificate);
    if (!path) {
        if (arguments.has("privateKey")) arguments.refuseAll("privateKey is of no use without " + certificate);
        return std::nullopt;
    }
    return detail::loadPrivateCertificate(*path, arguments.orElse("privateKey", *path));
}

ssl::TrustRoot trustRoot(const Arguments& arguments, const std::string& name) {
    const std::optional<std::string> path = arguments.optional(name);
    return path ? detail::loadTrustRoot(*path) : ssl::platformTrust();
}

// What all kinds of TLS take, by name.

using Parameters = ssl::CertificateOptions::Parameters;

/// @p names and those of the arguments that readParameters and readProtocols read.
std::vector<std::string> withTLS(std::vector<std::string> names) {
    for (const char* name : {"minimumTLS", "maximumTLS", "insecureMinimumTLS", "protocols", "connectionMade"}) {
        names.emplace_back(name);
    }
    return names;
}

ssl::TLSVersion versionOf(const Arguments& arguments, const std::string& name) {
    using ssl::TLSVersion;
    const std::string& text = arguments.required(name);
    if (text == "1.3") return TLSVersion::TLSv1_3;
    if (text == "1.2") return TLSVersion::TLSv1_2;
    if (text == "1.1") return TLSVersion::TLSv1_1;
    if (text == "1.0") return TLSVersion::TLSv1_0;
    arguments.refuse(name, quoted(text) + " is none of 1.0, 1.1, 1.2, 1.3");
}

ConnectionMade connectionMadeOf(const Arguments& arguments) {
    const std::string text = arguments.orElse("connectionMade", "beforeHandshake");
    if (text == "beforeHandshake") return ConnectionMade::beforeHandshake;
    if (text == "afterHandshake") return ConnectionMade::afterHandshake;
    arguments.refuse("connectionMade", quoted(text) + " is neither beforeHandshake nor afterHandshake");
}

/// The versions to speak. What is older than TLS 1.2 must be called insecure.
void setBounds(Parameters& parameters, const Arguments& arguments) {
    using ssl::TLSVersion;
    const bool insecure = arguments.has("insecureMinimumTLS");
    if (insecure) {
        if (arguments.has("minimumTLS")) arguments.refuseAll("insecureMinimumTLS excludes minimumTLS");
        parameters.insecurelyLowerMinimumTo(versionOf(arguments, "insecureMinimumTLS"));
    }
    const auto secure = [&](const std::string& name) {
        const TLSVersion version = versionOf(arguments, name);
        if (version < TLSVersion::TLSv1_2 && !insecure) {
            const std::string& text = arguments.required(name);
            arguments.refuse(
                name, quoted(text) + " is not secure; insecureMinimumTLS=" + text + " takes it at your own risk");
        }
        return version;
    };
    if (arguments.has("minimumTLS")) parameters.raiseMinimumTo(secure("minimumTLS"));
    if (!arguments.has("maximumTLS")) return;
    const TLSVersion most = secure("maximumTLS");
    for (const char* name : {"minimumTLS", "insecureMinimumTLS"}) {
        if (arguments.has(name) && versionOf(arguments, name) > most) {
            arguments.refuse("maximumTLS", quoted(arguments.required("maximumTLS")) + " is below " + name);
        }
    }
    parameters.lowerMaximumSecurityTo(most);
}

/// The names between commas (ALPN), best first.
std::vector<std::string> protocolsOf(const Arguments& arguments) {
    std::vector<std::string> names;
    if (!arguments.has("protocols")) return names;
    std::string rest = arguments.required("protocols") + ',';
    for (std::size_t comma = rest.find(','); comma != std::string::npos; comma = rest.find(',')) {
        names.push_back(rest.substr(0, comma));
        rest.erase(0, comma + 1);
        if (names.back().empty() || names.back().size() > 255) {
            arguments.refuse("protocols", "each name has 1 to 255 characters, and commas stand between them");
        }
    }
    return names;
}

// Servers.

void setMethod(Parameters& parameters, const Arguments& arguments) {
    using ssl::TLSVersion;
    if (!arguments.has("sslmethod")) return setBounds(parameters, arguments);
    for (const char* name : {"minimumTLS", "maximumTLS", "insecureMinimumTLS"}) {
        if (arguments.has(name)) arguments.refuseAll("sslmethod excludes " + std::string(name));
    }
    const std::string method = arguments.orElse("sslmethod", "TLS_METHOD");
    if (method == "TLS_METHOD" || method == "SSLv23_METHOD") return;
    TLSVersion version;
    if (method == "TLSv1_METHOD") {
        version = TLSVersion::TLSv1_0;
    } else if (method == "TLSv1_1_METHOD") {
        version = TLSVersion::TLSv1_1;
    } else if (method == "TLSv1_2_METHOD") {
        version = TLSVersion::TLSv1_2;
    } else {
        arguments.refuse("sslmethod", quoted(method) +
                                          " is none of TLS_METHOD, SSLv23_METHOD, TLSv1_METHOD, TLSv1_1_METHOD, "
                                          "TLSv1_2_METHOD");
    }
    parameters.insecurelyLowerMinimumTo(version).lowerMaximumSecurityTo(version);
}

}  // namespace

std::shared_ptr<StreamServerEndpoint> detail::tcpServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"port", "interface", "backlog"});
    return std::make_shared<TCP4ServerEndpoint>(reactor, arguments.port(), arguments.backlog(),
                                                arguments.interface(""));
}

std::shared_ptr<StreamServerEndpoint> detail::tcp6Server(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"port", "backlog", "interface"});
    return std::make_shared<TCP6ServerEndpoint>(reactor, arguments.port(), arguments.backlog(),
                                                arguments.interface("::"));
}

std::shared_ptr<StreamServerEndpoint> detail::sslServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(
        description,
        {"port", "privateKey", "certKey", "sslmethod", "interface", "backlog", "extraCertChain", "dhParameters"},
        withTLS({}));
    const int port = arguments.port();
    const int backlog = arguments.backlog();
    const std::string interface = arguments.interface("");
    const std::string keyPath = arguments.orElse("privateKey", "server.pem");
    Parameters parameters(detail::loadPrivateCertificate(arguments.orElse("certKey", keyPath), keyPath));
    setMethod(parameters, arguments);
    parameters.acceptableProtocols(protocolsOf(arguments));
    if (const auto path = arguments.optional("extraCertChain")) parameters.extraCertChain(detail::loadChain(*path));
    if (const auto path = arguments.optional("dhParameters")) {
        parameters.dhParameters(ssl::DiffieHellmanParameters::fromFile(*path));
    }
    return std::make_shared<SSL4ServerEndpoint>(reactor, port, ssl::CertificateOptions(parameters), backlog, interface,
                                                connectionMadeOf(arguments));
}

namespace {

/// Certificates that are watched for as long as somebody holds the recipe: the endpoint, or a port of it.
class WatchedCertificates final : public ssl::ContextFactory {
public:
    WatchedCertificates(Reactor& reactor, const ssl::CertificateDirectory& certificates, Duration interval)
        : certificates_(certificates),
          watch_(std::make_shared<ssl::CertificateWatch>(reactor, certificates, interval)) {}

    std::shared_ptr<const ssl::ContextFactory> share() const override {
        return std::make_shared<WatchedCertificates>(*this);
    }
    std::unique_ptr<ssl::Session> newSession(ssl::Role role, const ssl::SessionOptions& options) const override {
        return certificates_.newSession(role, options);
    }
    Duration handshakeTimeout() const override { return certificates_.handshakeTimeout(); }
    Duration closeTimeout() const override { return certificates_.closeTimeout(); }

private:
    ssl::CertificateDirectory certificates_;
    std::shared_ptr<ssl::CertificateWatch> watch_;
};

/// The recipe of a server that has its certificates in a folder.
std::shared_ptr<const ssl::ContextFactory> certificatesOf(Reactor& reactor, const Arguments& arguments) {
    Parameters parameters;
    setBounds(parameters, arguments);
    parameters.acceptableProtocols(protocolsOf(arguments));
    ssl::CertificateDirectory::Settings settings;
    settings.parameters(parameters).refuseUnknownNames(arguments.yesOrNo("refuseUnknownNames"));
    if (const auto name = arguments.optional("default")) {
        try {
            settings.defaultFile(*name);
        } catch (const ValueError& error) {
            arguments.refuse("default", error.what());
        }
    }
    std::optional<Duration> interval;
    if (arguments.has("reload")) {
        interval = std::chrono::seconds(arguments.number("reload", 1, std::numeric_limits<int>::max()));
    }
    const ssl::CertificateDirectory certificates(arguments.required("path"), settings);
    if (!interval) return certificates.share();
    return std::make_shared<WatchedCertificates>(reactor, certificates, *interval);
}

}  // namespace

std::shared_ptr<StreamServerEndpoint> detail::tlsServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"path", "port", "backlog", "interface"},
                              withTLS({"endpoint", "default", "refuseUnknownNames", "reload"}));
    constexpr int kHTTPS = 443;
    if (const auto inner = arguments.optional("endpoint")) {
        for (const char* name : {"port", "backlog", "interface"}) {
            if (arguments.has(name)) arguments.refuseAll("endpoint excludes " + std::string(name) + ": it has its own");
        }
        auto wrapped = serverFromString(reactor, *inner);
        return wrapServerTLS(*certificatesOf(reactor, arguments), std::move(wrapped), connectionMadeOf(arguments));
    }
    const int port = arguments.number("port", 0, 65535, kHTTPS);
    const int backlog = arguments.backlog();
    const std::string interface = arguments.interface("::");
    return std::make_shared<SSL4ServerEndpoint>(reactor, port, *certificatesOf(reactor, arguments), backlog, interface,
                                                connectionMadeOf(arguments));
}

/// As the package of that name has it: a folder, and behind it another description as it is.
std::shared_ptr<StreamServerEndpoint> detail::txsniServer(Reactor& reactor, const Description& description) {
    Description outer{description.text, description.type, {}, {}};
    std::string inner;
    const auto append = [&](const std::string& field) {
        if (!inner.empty()) inner += ':';
        inner += field;
    };
    for (const std::string& value : description.positional) {
        if (outer.positional.empty()) {
            outer.positional.push_back(value);
        } else {
            append(detail::quoteField(value));
        }
    }
    for (const auto& [name, value] : description.named)
        append(detail::quoteField(name) + '=' + detail::quoteField(value));
    if (!inner.empty()) outer.named.emplace("endpoint", std::move(inner));
    const Arguments arguments(outer, {"path"}, {"endpoint"});
    const std::string& path = arguments.required("path");
    auto wrapped = serverFromString(reactor, arguments.required("endpoint"));
    return wrapServerTLS(ssl::CertificateDirectory(path), std::move(wrapped));
}

// Clients.

namespace {

/// The arguments of tcp and ssl: a single one without name is the port if the host has been named.
Arguments hostAndPort(const Description& description, std::vector<std::string> others) {
    if (description.positional.size() == 1 && description.named.count("host") != 0) {
        others.push_back("host");
        return Arguments(description, {"port"}, std::move(others));
    }
    return Arguments(description, {"host", "port"}, std::move(others));
}

}  // namespace

std::shared_ptr<StreamClientEndpoint> detail::tcpClient(Reactor& reactor, const Description& description) {
    const Arguments arguments = hostAndPort(description, {"timeout", "bindAddress"});
    checkHost(arguments, "host");
    return std::make_shared<TCP4ClientEndpoint>(reactor, arguments.required("host"), arguments.port(),
                                                arguments.timeout(), arguments.bindAddress());
}

std::shared_ptr<StreamClientEndpoint> detail::sslClient(Reactor& reactor, const Description& description) {
    const Arguments arguments =
        hostAndPort(description,
                    withTLS({"hostname", "caCertsDir", "certKey", "privateKey", "timeout", "bindAddress", "insecure"}));
    checkHost(arguments, "host");
    const int port = arguments.port();
    const Duration timeout = arguments.timeout();
    const Address bindAddress = arguments.bindAddress();
    const auto endpoint = [&](const ssl::ContextFactory& options) {
        return std::make_shared<SSL4ClientEndpoint>(reactor, arguments.required("host"), port, options, timeout,
                                                    bindAddress, connectionMadeOf(arguments));
    };
    const std::vector<std::string> protocols = protocolsOf(arguments);
    Parameters parameters;
    if (arguments.yesOrNo("insecure")) {
        for (const char* name : {"hostname", "caCertsDir"}) {
            if (arguments.has(name))
                arguments.refuseAll("insecure=yes verifies nothing, so it excludes " + std::string(name));
        }
        if (const auto own = clientCertificate(arguments, "certKey")) parameters = Parameters(*own);
        setBounds(parameters, arguments);
        return endpoint(ssl::insecureOptionsForClientTLS({}, protocols, parameters));
    }
    if (!arguments.has("hostname")) {
        arguments.refuseAll(
            "the server is verified by its hostname, so give hostname=NAME, or insecure=yes to verify nothing");
    }
    checkHost(arguments, "hostname");
    setBounds(parameters, arguments);
    return endpoint(ssl::optionsForClientTLS(arguments.required("hostname"), trustRoot(arguments, "caCertsDir"),
                                             clientCertificate(arguments, "certKey"), protocols, parameters));
}

std::shared_ptr<StreamClientEndpoint> detail::tlsClient(Reactor& reactor, const Description& description) {
    const Arguments arguments(
        description, {"host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint"},
        withTLS({}));
    checkHost(arguments, "host");
    const std::string& host = arguments.required("host");
    const int port = arguments.port();
    const Duration timeout = arguments.timeout();
    const Address bindAddress = arguments.bindAddress();
    Parameters parameters;
    setBounds(parameters, arguments);
    const std::vector<std::string> protocols = protocolsOf(arguments);
    const auto options = ssl::optionsForClientTLS(host, trustRoot(arguments, "trustRoots"),
                                                  clientCertificate(arguments, "certificate"), protocols, parameters);
    const ConnectionMade connectionMade = connectionMadeOf(arguments);
    if (const auto inner = arguments.optional("endpoint"))
        return wrapClientTLS(options, clientFromString(reactor, *inner), connectionMade);
    return wrapClientTLS(options, std::make_shared<HostnameEndpoint>(reactor, host, port, timeout, bindAddress),
                         connectionMade);
}

// Both.

std::shared_ptr<StreamServerEndpoint> serverFromString(Reactor& reactor, const std::string& text) {
    const Description description = detail::parseDescription(text);
    auto endpoint = detail::serverParser(description)(reactor, description);
    if (!endpoint) detail::throwNoEndpoint(description);
    return endpoint;
}

std::shared_ptr<StreamClientEndpoint> clientFromString(Reactor& reactor, const std::string& text) {
    const Description description = detail::parseDescription(text);
    auto endpoint = detail::clientParser(description)(reactor, description);
    if (!endpoint) detail::throwNoEndpoint(description);
    return endpoint;
}

std::string quoteStringArgument(const std::string& argument) {
    std::string result;
    for (const char c : argument) {
        if (c == '\\' || c == ':') result += '\\';
        result += c;
    }
    return result;
}

}  // namespace torsion::endpoints
