#include <torsion/transports/endpoint_strings.hpp>

#include <cctype>
#include <optional>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/tls/client_options.hpp>
#include <torsion/transports/endpoint_certificates.hpp>
#include <torsion/transports/endpoint_description.hpp>
#include <torsion/transports/hostname.hpp>
#include <torsion/transports/hostname_endpoint.hpp>
#include <torsion/transports/ssl_endpoints.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>

namespace torsion::endpoints {

namespace {

using detail::Arguments;
using detail::Description;

constexpr int kMaximumBacklog = 0x7fffffff;

std::string lowerCase(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

[[noreturn]] void unknownType(const Description& description, const char* side, const char* known) {
    throw ValueError("endpoint " + quoted(description.text) + ": unknown endpoint type: " + quoted(description.type) +
                     "; known " + side + " types: " + known);
}

int backlogOf(const Arguments& arguments) {
    return arguments.number("backlog", 0, kMaximumBacklog, ReactorTCP::kDefaultBacklog);
}

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

// Servers.

void setMethod(ssl::CertificateOptions::Parameters& parameters, const Arguments& arguments) {
    using ssl::TLSVersion;
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

std::shared_ptr<StreamServerEndpoint> sslServer(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"port", "privateKey", "certKey", "sslmethod", "interface", "backlog",
                                            "extraCertChain", "dhParameters"});
    const int port = arguments.port();
    const int backlog = backlogOf(arguments);
    const std::string interface = arguments.interface("");
    const std::string keyPath = arguments.orElse("privateKey", "server.pem");
    ssl::CertificateOptions::Parameters parameters(
        detail::loadPrivateCertificate(arguments.orElse("certKey", keyPath), keyPath));
    setMethod(parameters, arguments);
    if (const auto path = arguments.optional("extraCertChain")) parameters.extraCertChain(detail::loadChain(*path));
    if (const auto path = arguments.optional("dhParameters")) {
        parameters.dhParameters(ssl::DiffieHellmanParameters::fromFile(*path));
    }
    return std::make_shared<SSL4ServerEndpoint>(reactor, port, ssl::CertificateOptions(parameters), backlog, interface);
}

// Clients.

/// The arguments of tcp and ssl: a single one without name is the port if the host has been named.
Arguments hostAndPort(const Description& description, std::vector<std::string> others) {
    if (description.positional.size() == 1 && description.named.count("host") != 0) {
        others.push_back("host");
        return Arguments(description, {"port"}, std::move(others));
    }
    return Arguments(description, {"host", "port"}, std::move(others));
}

std::shared_ptr<StreamClientEndpoint> tcpClient(Reactor& reactor, const Description& description) {
    const Arguments arguments = hostAndPort(description, {"timeout", "bindAddress"});
    checkHost(arguments, "host");
    return std::make_shared<TCP4ClientEndpoint>(reactor, arguments.required("host"), arguments.port(),
                                                arguments.timeout(), arguments.bindAddress());
}

bool insecure(const Arguments& arguments) {
    const std::string text = arguments.orElse("insecure", "no");
    if (text != "yes" && text != "no") arguments.refuse("insecure", quoted(text) + " is neither yes nor no");
    return text == "yes";
}

std::shared_ptr<StreamClientEndpoint> sslClient(Reactor& reactor, const Description& description) {
    const Arguments arguments = hostAndPort(
        description, {"hostname", "caCertsDir", "certKey", "privateKey", "timeout", "bindAddress", "insecure"});
    checkHost(arguments, "host");
    const int port = arguments.port();
    const Duration timeout = arguments.timeout();
    const Address bindAddress = arguments.bindAddress();
    const auto endpoint = [&](const ssl::ContextFactory& options) {
        return std::make_shared<SSL4ClientEndpoint>(reactor, arguments.required("host"), port, options, timeout,
                                                    bindAddress);
    };
    if (insecure(arguments)) {
        for (const char* name : {"hostname", "caCertsDir"}) {
            if (arguments.has(name))
                arguments.refuseAll("insecure=yes verifies nothing, so it excludes " + std::string(name));
        }
        ssl::CertificateOptions::Parameters parameters;
        if (const auto own = clientCertificate(arguments, "certKey"))
            parameters = ssl::CertificateOptions::Parameters(*own);
        return endpoint(ssl::insecureOptionsForClientTLS({}, {}, parameters));
    }
    if (!arguments.has("hostname")) {
        arguments.refuseAll(
            "the server is verified by its hostname, so give hostname=NAME, or insecure=yes to verify nothing");
    }
    checkHost(arguments, "hostname");
    return endpoint(ssl::optionsForClientTLS(arguments.required("hostname"), trustRoot(arguments, "caCertsDir"),
                                             clientCertificate(arguments, "certKey")));
}

std::shared_ptr<StreamClientEndpoint> tlsClient(Reactor& reactor, const Description& description) {
    const Arguments arguments(
        description, {"host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint"});
    checkHost(arguments, "host");
    const std::string& host = arguments.required("host");
    const int port = arguments.port();
    const Duration timeout = arguments.timeout();
    const Address bindAddress = arguments.bindAddress();
    const auto options =
        ssl::optionsForClientTLS(host, trustRoot(arguments, "trustRoots"), clientCertificate(arguments, "certificate"));
    if (const auto inner = arguments.optional("endpoint"))
        return wrapClientTLS(options, clientFromString(reactor, *inner));
    return wrapClientTLS(options, std::make_shared<HostnameEndpoint>(reactor, host, port, timeout, bindAddress));
}

}  // namespace

std::shared_ptr<StreamServerEndpoint> serverFromString(Reactor& reactor, const std::string& text) {
    const Description description = detail::parseDescription(text);
    // Twisted matches its oldest types as they are given, those that came as plugins in any case (ES-2).
    if (description.type == "tcp") {
        const Arguments arguments(description, {"port", "interface", "backlog"});
        return std::make_shared<TCP4ServerEndpoint>(reactor, arguments.port(), backlogOf(arguments),
                                                    arguments.interface(""));
    }
    if (description.type == "ssl") return sslServer(reactor, description);
    if (lowerCase(description.type) == "tcp6") {
        const Arguments arguments(description, {"port", "backlog", "interface"});
        return std::make_shared<TCP6ServerEndpoint>(reactor, arguments.port(), backlogOf(arguments),
                                                    arguments.interface("::"));
    }
    unknownType(description, "server", "ssl, tcp, tcp6");
}

std::shared_ptr<StreamClientEndpoint> clientFromString(Reactor& reactor, const std::string& text) {
    const Description description = detail::parseDescription(text);
    const std::string type = lowerCase(description.type);
    if (type == "tcp") return tcpClient(reactor, description);
    if (type == "ssl") return sslClient(reactor, description);
    if (type == "tls") return tlsClient(reactor, description);
    unknownType(description, "client", "ssl, tcp, tls");
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
