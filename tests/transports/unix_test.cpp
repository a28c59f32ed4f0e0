// UNIX sockets: their files, locks and errors, and TLS over them. What they share with TCP is in tests/contract.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <torsion/tests/contract/stacks.hpp>
#include <torsion/tests/temporary_folder.hpp>
#include <torsion/transports/unix_endpoints.hpp>
#include <torsion/transports/wrap_client_tls.hpp>

using namespace torsion;
using namespace torsion::test;

namespace {

std::shared_ptr<OneShotFactory> nobody() { return std::make_shared<OneShotFactory>(nullptr); }

std::shared_ptr<OneShotFactory> one(const std::shared_ptr<Actor>& actor) {
    return std::make_shared<OneShotFactory>(actor);
}

bool isSocket(const std::string& path) {
    struct stat there {};
    return ::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode);
}

bool exists(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

void stop(LibeventReactor& reactor, ListeningPort& port) {
    bool stopped = false;
    port.stopListening().addCallback([&] { stopped = true; });
    until(reactor, [&] { return stopped; });
}

/// What a server leaves that dies.
void leaveSocket(const std::string& path) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage storage{};
    const unsigned length = UNIXAddress(path).toSockaddr(&storage);
    REQUIRE(::bind(descriptor, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    ::close(descriptor);
}

/// The number of a process that is gone.
std::string deadProcess() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    return std::to_string(child);
}

std::string listenError(LibeventReactor& reactor, const std::string& path, bool wantPID = false) {
    try {
        reactor.listenUNIX(path, nobody(), 50, 0666, wantPID);
    } catch (const CannotListenError& error) {
        return error.what();
    }
    return "it listens";
}

Failure connectError(LibeventReactor& reactor, const std::string& path, bool checkPID = false, Duration timeout = 30s) {
    const auto factory = nobody();
    const auto connector = reactor.connectUNIX(path, factory, timeout, checkPID);
    CHECK(!factory->failed);  // not from inside the call
    until(reactor, [&] { return factory->failed != nullptr; });
    CHECK(connector->state() == Connector::State::disconnected);
    CHECK(factory->numPorts() == 0);
    return *factory->failed;
}

struct Fixture {
    LibeventReactor reactor;
    TemporaryFolder folder;
    std::string path = folder.file("socket");
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a UNIX socket carries octets both ways, and its addresses are paths (UX-1)") {
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    server->onData = [&](BytesView data) { server->transport().write(data); };
    const auto port = reactor.listenUNIX(path, one(server));
    CHECK(port->getHost() == UNIXAddress(path));
    const auto connector = reactor.connectUNIX(path, one(client));
    CHECK(connector->getDestination() == UNIXAddress(path));
    CHECK(client->made == 0);
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    CHECK(client->transport().getPeer() == UNIXAddress(path));
    CHECK(client->transport().getHost() == UNIXAddress(""));
    CHECK(server->transport().getHost() == UNIXAddress(path));
    CHECK(server->transport().getPeer() == UNIXAddress(""));
    client->transport().write("hello");
    until(reactor, [&] { return client->received == "hello"; });
    connector->disconnect();
    until(reactor, [&] { return client->lost == 1 && server->lost == 1; });
    CHECK(client->why() == "ConnectionDone");
    CHECK(server->why() == "ConnectionDone");
}

TEST_CASE_FIXTURE(Fixture, "what is TCP's alone does nothing on a UNIX socket, a half-close works (UX-1)") {
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port = reactor.listenUNIX(path, one(server));
    reactor.connectUNIX(path, one(client));
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    auto& options = client->transport().as<TCPTransport>();
    options.setTcpNoDelay(true);
    CHECK_FALSE(options.getTcpNoDelay());
    options.setTcpKeepAlive(true);
    client->transport().write("last words");
    options.loseWriteConnection();
    until(reactor, [&] { return server->lost == 1; });
    CHECK(server->received == "last words");
}

TEST_CASE_FIXTURE(Fixture,
                  "the socket's file has the mode, whatever the umask, and is gone when the port stops (UX-1)") {
    const mode_t before = ::umask(0077);
    for (const unsigned mode : {ReactorUNIX::kDefaultMode, 0600U, 0660U}) {
        const auto port = reactor.listenUNIX(path, nobody(), 50, mode);
        struct stat there {};
        REQUIRE(::lstat(path.c_str(), &there) == 0);
        CHECK((there.st_mode & 07777U) == mode);
        CHECK_FALSE(exists(path + ".lock"));
        stop(reactor, *port);
        CHECK_FALSE(exists(path));
    }
    ::umask(before);
    CHECK_THROWS_AS(reactor.listenUNIX(path, nobody(), 50, 010000), ValueError);
}

TEST_CASE("the end of the reactor removes the file and the lock, too (UX-1)") {
    const TemporaryFolder folder;
    const std::string path = folder.file("socket");
    {
        LibeventReactor reactor;
        reactor.listenUNIX(path, nobody(), 50, 0666, true);
        CHECK(isSocket(path));
        CHECK(exists(path + ".lock"));
    }
    CHECK_FALSE(exists(path));
    CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE_FIXTURE(Fixture, "a file that is in the way is a CannotListenError that says what to do, and stays (UX-1)") {
    leaveSocket(path);
    CHECK(listenError(reactor, path) ==
          "Couldn't listen on '" + path +
              "': Address already in use; if no server uses this file any more, remove it, or listen with a lock file "
              "(wantPID), by which a dead server's is told and taken over.");
    CHECK(isSocket(path));
}

TEST_CASE_FIXTURE(Fixture, "wantPID keeps a lock that names the process, as Twisted's does (UX-1)") {
    const auto port = reactor.listenUNIX(path, nobody(), 50, 0666, true);
    CHECK(std::filesystem::read_symlink(path + ".lock") == std::to_string(::getpid()));
    CHECK(listenError(reactor, path, true) == "Couldn't listen on '" + path + "': the lock '" + path +
                                                  ".lock' is held by process " + std::to_string(::getpid()) + ".");
    CHECK(isSocket(path));  // of the first one
    stop(reactor, *port);
    CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE_FIXTURE(Fixture, "wantPID takes over the socket of a server that died, not another file (UX-1)") {
    std::filesystem::create_symlink(deadProcess(), path + ".lock");
    SUBCASE("a socket") {
        leaveSocket(path);
        const auto port = reactor.listenUNIX(path, nobody(), 50, 0666, true);
        CHECK(std::filesystem::read_symlink(path + ".lock") == std::to_string(::getpid()));
        stop(reactor, *port);
    }
    SUBCASE("nothing") {
        const auto port = reactor.listenUNIX(path, nobody(), 50, 0666, true);
        stop(reactor, *port);
    }
    SUBCASE("a file with something in it") {
        folder.write("socket", "precious");
        CHECK(listenError(reactor, path, true).find("Address already in use") != std::string::npos);
        CHECK(std::filesystem::file_size(path) == 8);
        std::filesystem::remove(path);
    }
    CHECK_FALSE(exists(path));
    CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE_FIXTURE(Fixture, "a dead server's lock is no leave to take over another one's socket (UX-1)") {
    const auto live = reactor.listenUNIX(path, nobody());  // without a lock
    std::filesystem::create_symlink(deadProcess(), path + ".lock");
    CHECK(listenError(reactor, path, true) ==
          "Couldn't listen on '" + path +
              "': Address already in use; a server listens there that does not hold the lock: end it, or choose "
              "another path.");
    CHECK_FALSE(exists(path + ".lock"));  // ours is gone again
    const auto client = std::make_shared<Actor>();
    reactor.connectUNIX(path, one(client));
    until(reactor, [&] { return client->made == 1; });
}

TEST_CASE_FIXTURE(Fixture, "a lock of our own number that nobody listens behind is one of a process before us (UX-1)") {
    std::filesystem::create_symlink(std::to_string(::getpid()), path + ".lock");
    leaveSocket(path);
    const auto port = reactor.listenUNIX(path, nobody(), 50, 0666, true);
    stop(reactor, *port);
}

TEST_CASE_FIXTURE(Fixture, "a socket without a lock is not taken over, and a lock that is none is named (UX-1)") {
    leaveSocket(path);
    CHECK(listenError(reactor, path, true).find("Address already in use") != std::string::npos);
    CHECK_FALSE(exists(path + ".lock"));  // ours is gone again
    std::filesystem::create_symlink("elsewhere", path + ".lock");
    CHECK(listenError(reactor, path, true) == "Couldn't listen on '" + path + "': the lock '" + path +
                                                  ".lock' names no process, but 'elsewhere': remove it if nobody needs "
                                                  "it.");
}

TEST_CASE_FIXTURE(Fixture, "only our own socket's file is removed at the end (UX-1)") {
    const auto port = reactor.listenUNIX(path, nobody());
    std::filesystem::remove(path);
    SUBCASE("another's has taken its place") {
        leaveSocket(path);
        stop(reactor, *port);
        CHECK(isSocket(path));
    }
    SUBCASE("it is gone") { stop(reactor, *port); }
}

TEST_CASE_FIXTURE(Fixture, "a port can listen again after its end (UX-1)") {
    const auto port = reactor.listenUNIX(path, nobody(), 50, 0666, true);
    stop(reactor, *port);
    port->startListening();
    CHECK(isSocket(path));
    stop(reactor, *port);
    CHECK_FALSE(exists(path));
}

TEST_CASE_FIXTURE(Fixture, "a factory that throws when it starts leaves neither file nor lock (UX-1)") {
    class Rude : public OneShotFactory {
    public:
        Rude() : OneShotFactory(nullptr) {}
        void startFactory() override { throw ValueError("no"); }
    };
    CHECK_THROWS_AS(reactor.listenUNIX(path, std::make_shared<Rude>(), 50, 0666, true), ValueError);
    CHECK_FALSE(exists(path));
    CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE_FIXTURE(Fixture, "an abstract name has no file and no lock, and ends with its port (UX-2)") {
    const std::string name = std::string(1, '\0') + path;
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port = reactor.listenUNIX(name, one(server), 50, 0666, true);
    CHECK(port->getHost() == UNIXAddress(name));
    CHECK(std::filesystem::is_empty(folder.path()));
    CHECK(listenError(reactor, name).find("': Address already in use.") != std::string::npos);
    reactor.connectUNIX(name, one(client), 30s, true);
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    CHECK(client->transport().getPeer() == UNIXAddress(name));
    stop(reactor, *port);
    CHECK(connectError(reactor, name).check<ConnectionRefusedError>());
}

TEST_CASE_FIXTURE(Fixture, "paths of 107 octets work, longer and impossible ones are refused with the reason (UX-1)") {
    const std::string longest = folder.path() + '/' + std::string(106 - folder.path().size(), 'x');
    REQUIRE(longest.size() == 107);
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port = reactor.listenUNIX(longest, one(server));
    reactor.connectUNIX(longest, one(client));
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
    const std::string why =
        "it has 108 octets, and the path of a UNIX socket at most 107; change the folder, or use a symbolic link to it";
    CHECK(listenError(reactor, longest + 'x') == "Couldn't listen on '" + longest + "x': " + why + ".");
    CHECK(connectError(reactor, longest + 'x').getErrorMessage() ==
          "An error occurred while connecting: '" + longest + "x': " + why + ".");
    CHECK(listenError(reactor, "") == "Couldn't listen on '': the path of a UNIX socket is missing.");
    CHECK(listenError(reactor, std::string("a\0b", 3)) == "Couldn't listen on 'a\\x00b': there is a NUL in the path.");
    CHECK(listenError(reactor, path + "/no/folder") ==
          "Couldn't listen on '" + path + "/no/folder': No such file or directory.");
}

TEST_CASE_FIXTURE(Fixture, "errors of connecting come later, with the path (UX-4)") {
    CHECK(connectError(reactor, path).getErrorMessage() ==
          "An error occurred while connecting: '" + path + "': No such file or directory.");
    leaveSocket(path);
    const Failure refused = connectError(reactor, path);
    CHECK(refused.check<ConnectionRefusedError>());
    CHECK(refused.getErrorMessage() == "Connection was refused by other side: '" + path + "': Connection refused.");
}

TEST_CASE_FIXTURE(Fixture, "checkPID without a live holder of the lock is a BadFileError (UX-4)") {
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    const auto port = reactor.listenUNIX(path, one(server));
    const Failure failure = connectError(reactor, path, true);
    CHECK(failure.check<BadFileError>());
    CHECK(failure.getErrorMessage() ==
          "File used for UNIX socket is no good: '" + path + "': no live server holds the lock '" + path + ".lock'.");
    std::filesystem::create_symlink(deadProcess(), path + ".lock");
    CHECK(connectError(reactor, path, true).check<BadFileError>());
    std::filesystem::remove(path + ".lock");
    std::filesystem::create_symlink(std::to_string(::getpid()), path + ".lock");
    reactor.connectUNIX(path, one(client), 30s, true);
    until(reactor, [&] { return client->made == 1 && server->made == 1; });
}

TEST_CASE_FIXTURE(Fixture, "a server whose backlog is full is tried again until it has room, or the timeout (UX-4)") {
    const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage storage{};
    const unsigned length = UNIXAddress(path).toSockaddr(&storage);
    REQUIRE(::bind(listening, reinterpret_cast<const sockaddr*>(&storage), length) == 0);
    REQUIRE(::listen(listening, 0) == 0);
    const auto first = std::make_shared<Actor>(), second = std::make_shared<Actor>();
    reactor.connectUNIX(path, one(first));
    until(reactor, [&] { return first->made == 1; });
    CHECK(connectError(reactor, path, false, 50ms).check<TimeoutError>());
    const auto connector = reactor.connectUNIX(path, one(second));
    until(reactor, [turns = 0]() mutable { return ++turns > 5; });
    CHECK(connector->state() == Connector::State::connecting);
    SUBCASE("it has room") {
        const int accepted = ::accept(listening, nullptr, nullptr);
        until(reactor, [&] { return second->made == 1; });
        ::close(accepted);
    }
    SUBCASE("it is given up") {
        connector->stopConnecting();
        until(reactor, [&] { return connector->state() == Connector::State::disconnected; });
    }
    ::close(listening);
}

TEST_CASE_FIXTURE(Fixture, "TLS goes over a UNIX socket, by wrapClientTLS and by startTLS (UX-1) (STL-1)") {
    const auto server = std::make_shared<Actor>(), client = std::make_shared<Actor>();
    server->onData = [&](BytesView data) { server->transport().write(data); };
    const auto serve = overTLS(ssl::Role::server, one(server));
    const auto port = reactor.listenUNIX(path, serve);
    bool connected = false;
    const auto options = ssl::optionsForClientTLS("example.com", ssl::test::exampleCertificate());
    const auto inner = std::make_shared<endpoints::UNIXClientEndpoint>(reactor, path);
    endpoints::wrapClientTLS(options, inner, ConnectionMade::afterHandshake)
        ->connect(one(client))
        .addCallback([&](const std::shared_ptr<Protocol>&) { connected = true; });
    until(reactor, [&] { return connected; });
    CHECK(client->transport().as<SSLTransport>().getPeerCertificate() != nullptr);
    CHECK(client->transport().getPeer() == UNIXAddress(path));
    client->transport().write("secret");
    until(reactor, [&] { return client->received == "secret"; });
    client->transport().loseConnection();
    until(reactor, [&] { return client->lost == 1 && server->lost == 1; });
    CHECK(client->why() == "ConnectionDone");
    CHECK(server->why() == "ConnectionDone");
}

TEST_CASE_FIXTURE(Fixture, "endpoints on UNIX sockets bring all errors through the Deferred (EP-4)") {
    using namespace endpoints;
    std::string text;
    const auto tell = [&](const Failure& failure) { text = failure.getErrorMessage(); };
    UNIXServerEndpoint(reactor, "").listen(nobody()).addCallbacks([](const std::shared_ptr<ListeningPort>&) {}, tell);
    CHECK(text == "Couldn't listen on '': the path of a UNIX socket is missing.");
    UNIXServerEndpoint(reactor, path, -1)
        .listen(nobody())
        .addCallbacks([](const std::shared_ptr<ListeningPort>&) {}, tell);
    CHECK(text == "backlog -1 is negative");
    UNIXClientEndpoint(reactor, path, 0s).connect(nobody()).addCallbacks([](const std::shared_ptr<Protocol>&) {}, tell);
    CHECK(text == "the timeout of a connection attempt must be positive");
    UNIXServerEndpoint server(reactor, path, 50, 0600, true);
    std::shared_ptr<ListeningPort> port;
    server.listen(nobody()).addCallback([&](std::shared_ptr<ListeningPort> listening) { port = std::move(listening); });
    REQUIRE(port);
    CHECK(exists(path + ".lock"));
    bool failed = false;
    server.listen(nobody()).addCallbacks([](const std::shared_ptr<ListeningPort>&) {},
                                         [&](const Failure& failure) { failed = failure.check<CannotListenError>(); });
    CHECK(failed);
}

TEST_CASE_FIXTURE(Fixture, "a connection attempt of an endpoint can be cancelled (EP-2)") {
    const auto port = reactor.listenUNIX(path, nobody());
    std::string text;
    auto connecting = endpoints::UNIXClientEndpoint(reactor, path).connect(one(std::make_shared<Actor>()));
    auto told = connecting.addCallbacks([](const std::shared_ptr<Protocol>&) {},
                                        [&](const Failure& failure) { text = failure.getErrorMessage(); });
    told.cancel();
    CHECK(text == "Connection attempt was cancelled: UNIXAddress('" + path + "').");
}
