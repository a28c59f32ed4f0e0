/// Endpoint strings: the grammar, and for the types that touch no file the endpoints themselves.

#include <cctype>

#include <torsion/core/error.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>
#include <torsion/transports/endpoint_description.hpp>
#include <torsion/transports/endpoint_strings.hpp>

namespace torsion::fuzz {

namespace {

using endpoints::detail::Arguments;
using endpoints::detail::Description;

/// Whether @p work throws what it may: an error that names the whole string.
template <class Work>
bool holds(Work&& work) {
    try {
        work();
        return true;
    } catch (const Error& error) {
        require(dynamic_cast<const ValueError*>(&error) != nullptr || dynamic_cast<const TypeError*>(&error) != nullptr,
                "an endpoint string gives an error of another kind");
        require(BytesView(error.what()).find("endpoint") != BytesView::npos, "an error does not say what it is about");
        return false;
    }
}

void readAll(const Arguments& arguments) {
    for (const char* name : {"host", "port", "privateKey", "hostname"}) {
        holds([&] { static_cast<void>(arguments.required(name)); });
        static_cast<void>(arguments.optional(name));
    }
    holds([&] {
        const int port = arguments.port();
        require(port >= 0 && port <= 65535, "a port out of range");
    });
    holds([&] { require(arguments.timeout() > Duration::zero(), "a timeout that is not positive"); });
    holds([&] { static_cast<void>(arguments.bindAddress()); });
    holds([&] { static_cast<void>(arguments.interface("")); });
    holds([&] {
        const int number = arguments.number("backlog", 0, 1000, 50);
        require(number >= 0 && number <= 1000, "a number out of range");
    });
}

/// An endpoint that was accepted can be used: what it asks of the reactor is in range.
void use(const std::string& text) {
    testing::MemoryReactor reactor;
    holds([&] {
        const auto server = endpoints::serverFromString(reactor, text);
        server->listen(Factory::forProtocol<Protocol>()).addErrback([](const Failure&) {
            return std::shared_ptr<ListeningPort>();
        });
        for (const auto& one : reactor.tcpServers) require(one.port >= 0 && one.port <= 65535, "a port out of range");
    });
    holds([&] {
        const auto client = endpoints::clientFromString(reactor, text);
        auto connecting = client->connectFactory(Factory::forProtocol<Protocol>());
        connecting.addErrback([](const Failure&) { return std::shared_ptr<Protocol>(); });
        for (const auto& one : reactor.tcpClients) {
            require(one.port >= 0 && one.port <= 65535, "a port out of range");
            require(one.timeout > Duration::zero(), "a timeout that is not positive");
            require(!one.host.empty(), "a host without a name");
        }
        connecting.cancel();
    });
}

}  // namespace

/// The input is the string.
void run(BytesView octets) {
    const std::string text(octets);
    Description description;
    const bool parsed = holds([&] { description = endpoints::detail::parseDescription(text); });
    if (parsed) {
        require(description.text == text, "a description does not keep its text");
        holds([&] {
            readAll(Arguments(description, {"host", "port"},
                              {"timeout", "bindAddress", "interface", "backlog", "privateKey", "hostname"}));
        });
    }
    // ssl and tls read files.
    std::string type = description.type;
    for (char& c : type) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (type != "ssl" && type != "tls") use(text);

    // Quoting is undone by parsing, whatever was quoted. By name, for an equals sign is left as it is.
    const auto quoted = endpoints::detail::parseDescription("tcp:x=" + endpoints::quoteStringArgument(text));
    require(quoted.named.at("x") == text, "an argument is not what was quoted");
}

std::vector<Bytes> seeds() { return {}; }  // corpus/endpoints has them

}  // namespace torsion::fuzz
