// Prefixes of a program's own in endpoint strings, and those of UNIX sockets.

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include <torsion/core/error.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/transports/endpoint_registry.hpp>
#include <torsion/transports/endpoint_strings.hpp>
#include <torsion/transports/tcp_endpoints.hpp>
#include <torsion/transports/unix_endpoints.hpp>

#include "../outcome.hpp"

using namespace torsion;
using namespace torsion::endpoints;
using test::Outcome;
using testing::MemoryReactor;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<StreamServerEndpoint> onPort(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"port"});
    return std::make_shared<TCP4ServerEndpoint>(reactor, arguments.port());
}

std::shared_ptr<StreamClientEndpoint> toPort(Reactor& reactor, const Description& description) {
    const Arguments arguments(description, {"port"}, {"timeout"});
    return std::make_shared<TCP4ClientEndpoint>(reactor, "127.0.0.1", arguments.port(), arguments.timeout());
}

template <class Call>
std::string textOf(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

std::string serverError(const std::string& text) {
    MemoryReactor reactor;
    return textOf([&] { serverFromString(reactor, text); });
}

std::string clientError(const std::string& text) {
    MemoryReactor reactor;
    return textOf([&] { clientFromString(reactor, text); });
}

/// Remembers what it was asked on UNIX sockets.
struct Asked {
    std::string path;
    int backlog = -1;
    unsigned mode = 0;
    bool wantPID = false, checkPID = false;
    Duration timeout{};
};

Asked listens(const std::string& text) {
    MemoryReactor reactor;
    REQUIRE(Outcome(serverFromString(reactor, text)->listen(Factory::forProtocol<Protocol>())).ok());
    const auto& asked = reactor.unixServers.at(0);
    return {asked.path, asked.backlog, asked.mode, asked.wantPID, false, {}};
}

Asked connects(const std::string& text) {
    MemoryReactor reactor;
    const Outcome protocol(clientFromString(reactor, text)->connect(Factory::forProtocol<Protocol>()));
    const auto& asked = reactor.unixClients.at(0);
    return {asked.path, -1, 0, false, asked.checkPID, asked.timeout};
}

}  // namespace

TEST_CASE("a prefix of one's own is found in any case of letters, with its arguments (ES-2) (EN-5)") {
    registerServerPrefix("Mine", onPort);
    registerClientPrefix("mine", toPort);  // the two sides do not know each other
    MemoryReactor reactor;
    CHECK(Outcome(serverFromString(reactor, "mine:80")->listen(Factory::forProtocol<Protocol>())).ok());
    CHECK(Outcome(serverFromString(reactor, "MINE:port=81")->listen(Factory::forProtocol<Protocol>())).ok());
    REQUIRE(reactor.ports.size() == 2);
    CHECK(reactor.tcpServers[0].port == 80);
    CHECK(reactor.tcpServers[1].port == 81);
    const Outcome connecting(
        clientFromString(reactor, "miNe:8000:timeout=7")->connect(Factory::forProtocol<Protocol>()));
    CHECK(reactor.tcpClients.back().port == 8000);
    CHECK(reactor.tcpClients.back().timeout == 7s);
    reactor.connectors.back()->fail(failureOf<ConnectionRefusedError>());
    CHECK(serverError("mine:x") == "endpoint 'mine:x': port: 'x' is not a number from 0 to 65535");
    CHECK(serverError("mine:1:2") == "endpoint 'mine:1:2': argument '2' is one too many; mine takes port");
}

TEST_CASE("an unknown prefix is an error that lists registered ones, too (ES-2)") {
    registerServerPrefix("aaa", onPort);
    registerClientPrefix("zzz", toPort);
    CHECK(serverError("nonsense:1").find("'nonsense'; known server types: aaa, fd, ") != std::string::npos);
    const std::string text = clientError("nonsense:1");
    CHECK(text.find("known client types: ") != std::string::npos);
    CHECK(text.substr(text.size() - 11) == ", unix, zzz");
    CHECK(text.find("aaa") == std::string::npos);
}

TEST_CASE("a prefix that is taken, built in or impossible is refused (ES-2)") {
    registerServerPrefix("once", onPort);
    const auto server = [](const std::string& prefix) { return textOf([&] { registerServerPrefix(prefix, onPort); }); };
    CHECK(server("ONCE") == "server endpoint prefix 'ONCE': it is registered already");
    CHECK(server("systemd") == "server endpoint prefix 'systemd': it is built in");
    CHECK(server("Tcp") == "server endpoint prefix 'Tcp': it is built in");
    const std::string impossible = "': a prefix is not empty, and has neither colons nor equals signs nor backslashes";
    for (const std::string prefix : {"", "a:b", "a=b", "a\\b"}) {
        CAPTURE(prefix);
        CHECK(server(prefix).find(impossible) != std::string::npos);
    }
    CHECK(textOf([] { registerServerPrefix("none", nullptr); }) ==
          "server endpoint prefix 'none': there is no parser to register");
    CHECK(textOf([] { registerClientPrefix("tls", toPort); }) == "client endpoint prefix 'tls': it is built in");
    registerClientPrefix("systemd", toPort);  // of servers alone
}

TEST_CASE("a parser's own error goes to the caller, null is an error (ES-2)") {
    registerClientPrefix("throws", [](Reactor&, const Description&) -> std::shared_ptr<StreamClientEndpoint> {
        throw ValueError("not today");
    });
    registerServerPrefix("null", [](Reactor&, const Description&) { return nullptr; });
    CHECK(clientError("throws:") == "not today");
    CHECK(serverError("null:") == "endpoint 'null:': the parser that is registered for 'null' gave no endpoint");
}

TEST_CASE("a parser may make an endpoint of another description, and register more (ES-2)") {
    registerServerPrefix("outer", [](Reactor& reactor, const Description& description) {
        registerServerPrefix("inner", onPort);
        return serverFromString(reactor, Arguments(description, {"endpoint"}).required("endpoint"));
    });
    MemoryReactor reactor;
    CHECK(Outcome(serverFromString(reactor, "outer:inner\\:77")->listen(Factory::forProtocol<Protocol>())).ok());
    CHECK(reactor.tcpServers.at(0).port == 77);
}

TEST_CASE("prefixes may be registered and used on several threads (ES-2)") {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 50; ++i) {
                const std::string prefix = "thread" + std::to_string(t) + "x" + std::to_string(i);
                registerClientPrefix(prefix, toPort);
                MemoryReactor reactor;
                clientFromString(reactor, prefix + ":1");
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(clientError("thread3x49:x").find("is not a number") != std::string::npos);
}

TEST_CASE("unix: servers take mode in octal, backlog, and a lock file unless told otherwise (ES-3)") {
    const Asked plain = listens("unix:/run/a");
    CHECK(plain.path == "/run/a");
    CHECK(plain.mode == 0666);
    CHECK(plain.backlog == 50);
    CHECK(plain.wantPID);
    const Asked full = listens("unix:address=/run/a\\:b:mode=0660:backlog=7:lockfile=0");
    CHECK(full.path == "/run/a:b");
    CHECK(full.mode == 0660);
    CHECK(full.backlog == 7);
    CHECK_FALSE(full.wantPID);
    const Asked positional = listens("unix:a:600:5:1");
    CHECK(positional.mode == 0600);
    CHECK(positional.backlog == 5);
    CHECK(positional.wantPID);
}

TEST_CASE("unix: clients take a timeout, and a lock file if they shall look for it (ES-4)") {
    const Asked plain = connects("unix:/run/a");
    CHECK(plain.path == "/run/a");
    CHECK(plain.timeout == 30s);
    CHECK_FALSE(plain.checkPID);
    const Asked full = connects("UNIX:path=/run/a:timeout=9:lockfile=1");
    CHECK(full.timeout == 9s);
    CHECK(full.checkPID);
}

TEST_CASE("what is malformed in unix: is an error that says what (ES-2, ES-3, ES-4)") {
    CHECK(serverError("unix:") == "endpoint 'unix:': address: the path of a UNIX socket is missing");
    CHECK(serverError("unix") ==
          "endpoint 'unix': argument 'address' is missing; unix takes address, mode, backlog, "
          "lockfile");
    CHECK(serverError("unix:a:mode=rw") ==
          "endpoint 'unix:a:mode=rw': mode: 'rw' is not an octal number from 0 to 7777");
    CHECK(serverError("unix:a:mode=888").find("mode: '888' is not an octal number from 0 to 7777") !=
          std::string::npos);
    CHECK(serverError("unix:a:mode=10000").find("is not an octal number") != std::string::npos);
    CHECK(serverError("unix:a:mode=-1").find("is not an octal number") != std::string::npos);
    CHECK(serverError("unix:a:lockfile=yes") == "endpoint 'unix:a:lockfile=yes': lockfile: 'yes' is neither 1 nor 0");
    CHECK(serverError("unix:a:backlog=x") ==
          "endpoint 'unix:a:backlog=x': backlog: 'x' is not a number from 0 to 2147483647");
    CHECK(serverError("unix:a:timeout=1")
              .find("unknown argument 'timeout'; unix takes address, mode, backlog, lockfile") != std::string::npos);
    CHECK(serverError("UNIX:a").find("unknown endpoint type: 'UNIX'") != std::string::npos);  // as in Twisted
    CHECK(serverError("unix:" + std::string(108, 'x')).find("address: it has 108 octets") != std::string::npos);
    CHECK(clientError("unix:a:b") ==
          "endpoint 'unix:a:b': argument 'b' is one too many; unix takes path, timeout, "
          "lockfile");
    CHECK(clientError("unix:a:timeout=0").find("timeout: '0' is not a number from 1 to") != std::string::npos);
    CHECK(clientError("unix:a:lockfile=2") == "endpoint 'unix:a:lockfile=2': lockfile: '2' is neither 1 nor 0");
}
