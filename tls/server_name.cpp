#include <torsion/tls/server_name.hpp>

#include <memory>
#include <new>
#include <optional>
#include <utility>

#include <torsion/tls/context.hpp>
#include <torsion/tls/verification.hpp>

namespace torsion::ssl {

namespace {

constexpr unsigned char kHostName = 0;  // RFC 6066: the only kind of name that there is

/// Takes a number of two octets off the front.
std::optional<std::size_t> takeNumber(std::string_view& octets) {
    if (octets.size() < 2) return std::nullopt;
    const std::size_t number =
        static_cast<std::size_t>(static_cast<unsigned char>(octets[0])) << 8U | static_cast<unsigned char>(octets[1]);
    octets.remove_prefix(2);
    return number;
}

/// The host name in the ClientHello as it stands there; empty if there is none. Malformed extensions are left to
/// OpenSSL, which refuses them later.
std::string_view sentServerName(SSL* connection) {
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &data, &size) != 1) return {};
    std::string_view list(reinterpret_cast<const char*>(data), size);
    const std::optional<std::size_t> listSize = takeNumber(list);
    if (!listSize || *listSize != list.size() || list.empty()) return {};
    if (static_cast<unsigned char>(list.front()) != kHostName) return {};
    list.remove_prefix(1);
    const std::optional<std::size_t> nameSize = takeNumber(list);
    return nameSize && *nameSize <= list.size() ? list.substr(0, *nameSize) : std::string_view();
}

/// Gives @p connection all that @p context would have given it. SSL_set_SSL_CTX brings certificate, chain, security
/// level, ciphers, trust store, the list of authorities, the callbacks and the session id context; the rest was copied
/// when the connection was made. What stays is where sessions are cached, and for how long.
void moveTo(SSL* connection, const Context& context) {
    SSL_CTX* native = context.native();
    if (SSL_set_SSL_CTX(connection, native) == nullptr) throw std::bad_alloc();
    SSL_set_verify(connection, SSL_CTX_get_verify_mode(native), SSL_CTX_get_verify_callback(native));
    X509_VERIFY_PARAM* parameters = SSL_get0_param(connection);
    X509_VERIFY_PARAM_clear_flags(parameters, X509_VERIFY_PARAM_get_flags(parameters));  // they would only add up
    if (SSL_set1_param(connection, SSL_CTX_get0_param(native)) != 1) throw std::bad_alloc();
    SSL_clear_mode(connection, SSL_get_mode(connection));
    SSL_set_mode(connection, SSL_CTX_get_mode(native));
    SSL_clear_options(connection, SSL_get_options(connection));
    SSL_set_options(connection, SSL_CTX_get_options(native));
    if (SSL_set_min_proto_version(connection, static_cast<int>(SSL_CTX_get_min_proto_version(native))) != 1 ||
        SSL_set_max_proto_version(connection, static_cast<int>(SSL_CTX_get_max_proto_version(native))) != 1 ||
        SSL_set_num_tickets(connection, SSL_CTX_get_num_tickets(native)) != 1) {
        throw std::bad_alloc();
    }
    ConnectionState& state = ConnectionState::of(connection);
    if (!state.protocolsAreOwn) state.protocols = context.protocols();
}

int decide(SSL* connection, int* alert) {
    const std::string_view sent = sentServerName(connection);
    if (sent.empty() && ConnectionState::find(connection) == nullptr) return SSL_CLIENT_HELLO_SUCCESS;
    ConnectionState& state = ConnectionState::of(connection);
    // Nothing was kept of a first ClientHello without a name. That there was one shows in what we have answered.
    if (!state.askedFor && BIO_number_written(SSL_get_wbio(connection)) > 0) state.askedFor = "";
    if (state.askedFor) {
        // A second ClientHello (RFC 8446, 4.1.2), which OpenSSL does not compare with the first. What was chosen stays:
        // by another name the connection would pass for one of an entry whose demands it has not met.
        if (*state.askedFor == sent) return SSL_CLIENT_HELLO_SUCCESS;
        Refusal::of(connection).serverName =
            "The client's second ClientHello asks for another server name than its first";
        *alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_CLIENT_HELLO_ERROR;
    }
    state.askedFor = sent;
    const std::shared_ptr<const ServerNameSelector> names = std::exchange(state.serverNames, nullptr);
    if (!names) return SSL_CLIENT_HELLO_SUCCESS;
    if (const Context* context = names->choose(plainServerName(sent))) {
        moveTo(connection, *context);
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    Refusal::of(connection).serverName =
        sent.empty()
            ? "The client names no server (SNI), and there is no certificate for such clients"
            : "The client asks for the server name '" + printable(sent) + "', for which there is no certificate here";
    *alert = sent.empty() ? SSL_AD_MISSING_EXTENSION : SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
}

}  // namespace

std::string plainServerName(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    std::string plain(name);
    for (char& c : plain) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return plain;
}

int chooseByServerName(SSL* connection, int* alert, void*) noexcept {
    try {
        return decide(connection, alert);
    } catch (...) {  // nothing may be thrown through OpenSSL (TLS-19)
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
}

}  // namespace torsion::ssl
