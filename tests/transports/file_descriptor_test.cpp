// Sockets that others have made: adopted ports and connections, and those that a process is started with.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include <torsion/tests/contract/stacks.hpp>
#include <torsion/tests/outcome.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/transports/endpoint_strings.hpp>
#include <torsion/transports/file_descriptor_endpoints.hpp>
#include <torsion/transports/systemd_listen_fds.hpp>

using namespace torsion;
using namespace torsion::test;
using endpoints::AdoptedStreamServerEndpoint;
using endpoints::serverFromString;
using test::Outcome;

namespace {

/// A descriptor of the test's own.
class Owned {
public:
    explicit Owned(int descriptor) : descriptor_(descriptor) { REQUIRE(descriptor >= 0); }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { close(); }
    operator int() const { return descriptor_; }
    bool isOpen() const { return ::fcntl(descriptor_, F_GETFD) >= 0; }
    int release() { return std::exchange(descriptor_, -1); }
    void close() {
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }

private:
    int descriptor_;
};

/// A blocking socket bound to @p address.
int boundTo(const Address& address, bool listening = true) {
    const int family = address.kind() == Address::Kind::unixPath ? AF_UNIX : AF_INET;
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage storage{};
    const unsigned length = address.toSockaddr(&storage);
    REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    if (listening) REQUIRE(::listen(descriptor, 5) == 0);
    return descriptor;
}

int listeningTCP() { return boundTo(IPv4Address("127.0.0.1", 0)); }

std::shared_ptr<OneShotFactory> nobody() { return std::make_shared<OneShotFactory>(nullptr); }

/// What adopting says against a descriptor.
std::string refusal(LibeventReactor& reactor, int descriptor, Address::Kind family = Address::Kind::ipv4) {
    try {
        reactor.adoptStreamPort(descriptor, family, nobody());
    } catch (const ValueError& error) {
        return error.what();
    }
    return "it listens";
}

std::string serverError(Reactor& reactor, const std::string& text) {
    try {
        serverFromString(reactor, text);
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

/// Sets the variables of socket activation, and takes them back.
class Activation {
public:
    Activation(std::optional<std::string> pid, std::optional<std::string> count, std::optional<std::string> names) {
        set("LISTEN_PID", pid);
        set("LISTEN_FDS", count);
        set("LISTEN_FDNAMES", names);
    }
    ~Activation() {
        for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
    }
    Activation(const Activation&) = delete;
    Activation& operator=(const Activation&) = delete;
    static bool anyLeft() {
        return std::getenv("LISTEN_PID") != nullptr || std::getenv("LISTEN_FDS") != nullptr ||
               std::getenv("LISTEN_FDNAMES") != nullptr;
    }

private:
    static void set(const char* name, const std::optional<std::string>& value) {
        if (value) ::setenv(name, value->c_str(), 1);
    }
};

std::string us() { return std::to_string(::getpid()); }

/// The log's warnings.
class Warnings {
public:
    Warnings()
        : number_(log::addObserver([this](const log::Event& event) {
              text += event.text;
              text += '\n';
          })) {}
    ~Warnings() { log::removeObserver(number_); }
    Warnings(const Warnings&) = delete;
    Warnings& operator=(const Warnings&) = delete;
    std::string text;

private:
    int number_;
};

/// Puts sockets where the process looks for those it was started with.
class Inherited {
public:
    explicit Inherited(std::vector<ListenFDs::Inherited> all) { ListenFDs::ofProcess() = ListenFDs(std::move(all)); }
    ~Inherited() { ListenFDs::ofProcess() = ListenFDs(); }
    Inherited(const Inherited&) = delete;
    Inherited& operator=(const Inherited&) = delete;
};

}  // namespace

TEST_CASE("an adopted port serves on a duplicate: the caller's descriptor stays its own (AS-1)") {
    LibeventReactor reactor;
    Owned descriptor(listeningTCP());
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port =
        reactor.adoptStreamPort(descriptor, Address::Kind::ipv4, std::make_shared<OneShotFactory>(server));
    const auto number = port->getHost().port();
    CHECK(number != 0);
    SUBCASE("it is closed before") { descriptor.close(); }
    SUBCASE("it stays open") {}
    reactor.connectTCP("127.0.0.1", number, std::make_shared<OneShotFactory>(client));
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    bool stopped = false;
    port->stopListening().addCallback([&] { stopped = true; });
    until(reactor, [&] { return stopped; });
    if (descriptor >= 0) {
        // It listens still: nobody has shut the socket down.
        const auto late = std::make_shared<Actor>();
        reactor.connectTCP("127.0.0.1", number, std::make_shared<OneShotFactory>(late));
        until(reactor, [&] { return late->made == 1; });
    }
    CHECK_THROWS_AS(port->startListening(), CannotListenError);
}

TEST_CASE("an adopted UNIX socket's file and mode are its maker's (AS-1)") {
    const TemporaryFolder folder;
    const std::string path = folder.file("socket");
    LibeventReactor reactor;
    const Owned descriptor(boundTo(UNIXAddress(path)));
    const auto before = std::filesystem::status(path).permissions();
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port =
        reactor.adoptStreamPort(descriptor, Address::Kind::unixPath, std::make_shared<OneShotFactory>(server));
    CHECK(port->getHost() == UNIXAddress(path));
    reactor.connectUNIX(path, std::make_shared<OneShotFactory>(client));
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    bool stopped = false;
    port->stopListening().addCallback([&] { stopped = true; });
    until(reactor, [&] { return stopped; });
    CHECK(std::filesystem::status(path).permissions() == before);
}

TEST_CASE("what cannot be adopted is refused with the reason (AS-1)") {
    LibeventReactor reactor;
    const Owned tcp(listeningTCP());
    const Owned deaf(boundTo(IPv4Address("127.0.0.1", 0), false));
    const Owned file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const Owned datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto named = [](int descriptor) { return "descriptor " + std::to_string(descriptor); };
    CHECK(refusal(reactor, -1) == "descriptor -1 is no socket: Bad file descriptor");
    CHECK(refusal(reactor, file) == named(file) + " is no socket: Socket operation on non-socket");
    CHECK(refusal(reactor, datagrams) == named(datagrams) + " is no stream socket");
    CHECK(refusal(reactor, deaf) == named(deaf) + " does not listen");
    CHECK(refusal(reactor, tcp, Address::Kind::ipv6) == named(tcp) + " is an IPv4 socket, not an IPv6 one");
    CHECK(refusal(reactor, tcp, Address::Kind::unixPath) == named(tcp) + " is an IPv4 socket, not a UNIX one");
    CHECK_THROWS_AS(reactor.adoptStreamPort(tcp, Address::Kind::hostname, nobody()), UnsupportedAddressFamily);
    CHECK_THROWS_AS(reactor.adoptStreamConnection(tcp, Address::Kind::none, nobody()), UnsupportedAddressFamily);
    CHECK_THROWS_AS(reactor.adoptStreamPort(tcp, Address::Kind::ipv4, nullptr), ValueError);
    CHECK_THROWS_WITH_AS(reactor.adoptStreamConnection(tcp, Address::Kind::ipv4, nullptr),
                         "adoptStreamConnection needs a factory", ValueError);
    CHECK_THROWS_WITH_AS(reactor.adoptStreamConnection(deaf, Address::Kind::ipv4, nobody()),
                         (named(deaf) + " is not connected: Transport endpoint is not connected").c_str(), ValueError);
}

TEST_CASE("an adopted connection gets a protocol as an accepted one does (AS-2)") {
    LibeventReactor reactor;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    Owned ours(pair[0]), theirs(pair[1]);
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    server->onData = [&](BytesView data) { server->transport().write(data); };
    reactor.adoptStreamConnection(ours, Address::Kind::unixPath, std::make_shared<OneShotFactory>(server));
    CHECK(server->made == 1);
    reactor.adoptStreamConnection(theirs, Address::Kind::unixPath, std::make_shared<OneShotFactory>(client));
    ours.close();
    theirs.close();
    client->transport().write("across");
    until(reactor, [&] { return client->received == "across"; });
    client->transport().loseConnection();
    until(reactor, [&] { return server->lost == 1 && client->lost == 1; });
    CHECK(server->why() == "ConnectionDone");
}

TEST_CASE("a factory that refuses an adopted connection has the duplicate closed, not the original (AS-2)") {
    LibeventReactor reactor;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    Owned ours(pair[0]);
    const Owned theirs(pair[1]);
    reactor.adoptStreamConnection(ours, Address::Kind::unixPath, nobody());
    class Thrower : public OneShotFactory {
    public:
        Thrower() : OneShotFactory(nullptr) {}
        std::shared_ptr<Protocol> buildProtocol(const Address&) override { throw ValueError("buildProtocol"); }
    };
    CHECK_THROWS_WITH_AS(reactor.adoptStreamConnection(ours, Address::Kind::unixPath, std::make_shared<Thrower>()),
                         "buildProtocol", ValueError);
    char octet;
    CHECK(::recv(theirs, &octet, 1, MSG_DONTWAIT) == -1);
    CHECK(errno == EAGAIN);
    ours.close();
    CHECK(::recv(theirs, &octet, 1, MSG_DONTWAIT) == 0);
}

TEST_CASE("AdoptedStreamServerEndpoint takes the descriptor over, once (AS-3)") {
    LibeventReactor reactor;
    const int descriptor = listeningTCP();
    AdoptedStreamServerEndpoint endpoint(reactor, descriptor, Address::Kind::ipv4);
    const Outcome first(endpoint.listen(nobody()));
    REQUIRE(first.ok());
    CHECK(::fcntl(descriptor, F_GETFD) == -1);
    const Outcome second(endpoint.listen(nobody()));
    CHECK(second.failed<AlreadyListened>());
    CHECK(second.text() ==
          "An attempt was made to listen on a file descriptor which can only be listened on once: "
          "descriptor " +
              std::to_string(descriptor) + ".");
    const Owned deaf(boundTo(IPv4Address("127.0.0.1", 0), false));
    CHECK(
        Outcome(AdoptedStreamServerEndpoint(reactor, deaf, Address::Kind::ipv4).listen(nobody())).failed<ValueError>());
    CHECK(deaf.isOpen());
}

TEST_CASE("fd: listens on a descriptor by its number (AS-3) (ES-3)") {
    LibeventReactor reactor;
    const int descriptor = listeningTCP();
    const auto endpoint = serverFromString(reactor, "fd:" + std::to_string(descriptor) + ":domain=INET");
    CHECK(Outcome(endpoint->listen(nobody())).ok());
    CHECK(Outcome(endpoint->listen(nobody())).failed<AlreadyListened>());
    CHECK(serverError(reactor, "fd:x:INET") ==
          "endpoint 'fd:x:INET': fileno: 'x' is not a number from 0 to 2147483647");
    CHECK(serverError(reactor, "fd:3") == "endpoint 'fd:3': argument 'domain' is missing; fd takes fileno, domain");
    CHECK(serverError(reactor, "fd:3:domain=inet") ==
          "endpoint 'fd:3:domain=inet': domain: 'inet' is none of INET, INET6, UNIX");
}

TEST_CASE("sockets of socket activation are read from the environment, which is cleared (SA-1)") {
    const Owned first(listeningTCP());
    const Owned second(::fcntl(first, F_DUPFD, first + 1));
    const int start = first;
    const bool neighbours = second == first + 1;
    const std::string count = neighbours ? "2" : "1";
    const std::string names = neighbours ? "web:admin" : "web";
    const Activation activation(us(), count, names);
    const ListenFDs fds = ListenFDs::fromEnvironment(start);
    CHECK_FALSE(Activation::anyLeft());
    REQUIRE(fds.inherited().size() == (neighbours ? 2 : 1));
    CHECK(fds.inherited()[0].fileDescriptor == first);
    CHECK(fds.inherited()[0].name == "web");
    CHECK(fds.byName("web") == first);
    CHECK(fds.byIndex(0) == first);
    CHECK((::fcntl(first, F_GETFD) & FD_CLOEXEC) != 0);  // children do not get them
    if (neighbours) CHECK((::fcntl(second, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(ListenFDs::fromEnvironment(start).inherited().empty());
}

TEST_CASE("without names sockets are found by index (SA-1)") {
    const Owned first(listeningTCP());
    const Activation activation(us(), "1", std::nullopt);
    const ListenFDs fds = ListenFDs::fromEnvironment(first);
    CHECK(fds.byIndex(0) == first);
    CHECK(fds.inherited()[0].name.empty());
}

TEST_CASE("sockets for another process are left alone (SA-1)") {
    const Activation activation("1", "1", "web");
    CHECK(ListenFDs::fromEnvironment().inherited().empty());
    CHECK(Activation::anyLeft());
    ::setenv("LISTEN_PID", "nonsense", 1);
    CHECK(ListenFDs::fromEnvironment().inherited().empty());
    CHECK(Activation::anyLeft());
}

TEST_CASE("an environment that makes no sense is logged, and gives nothing (SA-1)") {
    const Owned first(listeningTCP());
    const Warnings warnings;
    const auto read = [&](const std::optional<std::string>& count, const std::optional<std::string>& names) {
        const Activation activation(us(), count, names);
        CHECK(ListenFDs::fromEnvironment(first).inherited().empty());
        CHECK_FALSE(Activation::anyLeft());
    };
    read("many", std::nullopt);
    CHECK(warnings.text.find("Sockets from LISTEN_FDS are not used: it is 'many', not a number") != std::string::npos);
    read(std::nullopt, std::nullopt);
    CHECK(warnings.text.find("it is missing, not a number") != std::string::npos);
    read("1", "web:admin");
    CHECK(warnings.text.find("there are 1 of them and 2 names in LISTEN_FDNAMES") != std::string::npos);
    read("1000000000", std::nullopt);
    CHECK(warnings.text.find("is not open") != std::string::npos);
}

TEST_CASE("systemd: listens on an inherited socket by index or name, and again (SA-2) (ES-3)") {
    LibeventReactor reactor;
    const Owned web(listeningTCP()), admin(listeningTCP());
    const Inherited inherited({{web, "web"}, {admin, "admin"}});
    for (const char* text : {"systemd:domain=INET:index=0", "systemd:INET:1", "systemd:domain=INET:name=admin"}) {
        CAPTURE(text);
        for (int i = 0; i < 2; ++i) {
            const auto client = std::make_shared<Actor>(), server = std::make_shared<Actor>();
            Outcome port(serverFromString(reactor, text)->listen(std::make_shared<OneShotFactory>(server)));
            REQUIRE(port.ok());
            reactor.connectTCP("127.0.0.1", port.value()->getHost().port(), std::make_shared<OneShotFactory>(client));
            until(reactor, [&] { return client->made == 1 && server->made == 1; });
            bool stopped = false;
            port.value()->stopListening().addCallback([&] { stopped = true; });
            until(reactor, [&] { return stopped; });
        }
    }
    CHECK(web.isOpen());
}

TEST_CASE("systemd: says which index or name is missing, and what there is (SA-2)") {
    LibeventReactor reactor;
    CHECK(serverError(reactor, "systemd:domain=INET:index=0") ==
          "endpoint 'systemd:domain=INET:index=0': index: there is no socket 0: the process was started with none");
    const Inherited inherited({{100, "web"}, {101, "admin"}});
    CHECK(
        serverError(reactor, "systemd:domain=INET:index=2") ==
        "endpoint 'systemd:domain=INET:index=2': index: there is no socket 2: the process was started with 2, counted "
        "from 0");
    CHECK(
        serverError(reactor, "systemd:domain=INET:name=mail") ==
        "endpoint 'systemd:domain=INET:name=mail': name: there is no socket named 'mail': the process was started with "
        "2, named 'web', 'admin'");
    CHECK(serverError(reactor, "systemd:domain=INET:index=-1") ==
          "endpoint 'systemd:domain=INET:index=-1': index: '-1' is not a number from 0 to 2147483647");
    const std::string either = "': give either index or name, by which systemd passes the socket";
    CHECK(serverError(reactor, "systemd:domain=INET") == "endpoint 'systemd:domain=INET" + either);
    CHECK(serverError(reactor, "systemd:domain=INET:index=0:name=web") ==
          "endpoint 'systemd:domain=INET:index=0:name=web" + either);
    CHECK(serverError(reactor, "systemd:index=0") ==
          "endpoint 'systemd:index=0': argument 'domain' is missing; systemd takes domain, index, name");
    CHECK(serverError(reactor, "systemd:domain=IPX:index=0") ==
          "endpoint 'systemd:domain=IPX:index=0': domain: 'IPX' is none of INET, INET6, UNIX");
}
