#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/connector.hpp>
#include <torsion/core/context_factory.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/descriptor.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/reactor_time.hpp>
#include <torsion/core/resolver.hpp>
#include <torsion/core/turn.hpp>

namespace torsion {

/// The order within a system event: all of before, then what its Deferreds wait for, then during, then after (SE-1).
enum class SystemEventPhase { before, during, after };

/// Life, system events and the loop (IReactorCore).
class ReactorCore {
public:
    virtual ~ReactorCore() = default;

    /// Runs until stop(). May be called again afterwards (D22).
    /// @param installSignalHandlers take SIGINT (unless the program already has a handler) and SIGTERM as stop() (SE-7)
    /// @throws ReactorAlreadyRunning
    virtual void run(bool installSignalHandlers = true) = 0;

    /// Asks for the end: the shutdown event fires, then run() returns. May be called from any thread.
    /// @throws ReactorNotRunning if it is not running or already stopping (on the reactor's thread)
    virtual void stop() = 0;

    /// Leaves the loop at once, without the shutdown event.
    virtual void crash() = 0;

    virtual bool running() const = 0;

    /// Calls @p function now if the reactor runs, else when it has started.
    virtual void callWhenRunning(Function<void()> function) = 0;

    /// What a trigger returns: a Deferred that a "before" trigger wants to be waited for.
    using Trigger = Function<Deferred<void>()>;
    using TriggerID = std::uint64_t;

    /// Adds @p trigger to a phase of @p event, "startup" or "shutdown" or one of your own. "hurry" comes with each
    /// further signal while the shutdown is under way: who is waited for there should come to an end.
    virtual TriggerID addSystemEventTrigger(SystemEventPhase phase, const std::string& event, Trigger trigger) = 0;

    /// @throws ValueError if there is no such trigger (SE-5)
    virtual void removeSystemEventTrigger(TriggerID trigger) = 0;

    virtual void fireSystemEvent(const std::string& event) = 0;
};

/// TCP (IReactorTCP).
class ReactorTCP {
public:
    static constexpr int kDefaultBacklog = 50;
    static constexpr Duration kDefaultConnectTimeout = std::chrono::seconds(30);

    virtual ~ReactorTCP() = default;

    /// Listens on @p port (0 picks one). @param interface a literal; empty is every IPv4 interface, "::" every
    /// interface
    /// @throws CannotListenError
    virtual std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory> factory,
                                                     int backlog = kDefaultBacklog,
                                                     const std::string& interface = "") = 0;

    /// Connects. Nothing is called back before this returns, but for startedConnecting. @param host a name or literal
    /// @param bindAddress where to connect from; Address() leaves that to the system
    virtual std::shared_ptr<Connector> connectTCP(const std::string& host, int port,
                                                  std::shared_ptr<ClientFactory> factory,
                                                  Duration timeout = kDefaultConnectTimeout,
                                                  const Address& bindAddress = Address()) = 0;
};

/// TLS over TCP (IReactorSSL).
class ReactorSSL {
public:
    virtual ~ReactorSSL() = default;

    /// listenTCP whose connections speak TLS as @p options say.
    virtual std::shared_ptr<ListeningPort> listenSSL(int port, std::shared_ptr<Factory> factory,
                                                     const ssl::ContextFactory& options,
                                                     int backlog = ReactorTCP::kDefaultBacklog,
                                                     const std::string& interface = "") = 0;

    /// connectTCP whose connection speaks TLS as @p options say.
    virtual std::shared_ptr<Connector> connectSSL(const std::string& host, int port,
                                                  std::shared_ptr<ClientFactory> factory,
                                                  const ssl::ContextFactory& options,
                                                  Duration timeout = ReactorTCP::kDefaultConnectTimeout,
                                                  const Address& bindAddress = Address()) = 0;
};

/// UNIX stream sockets (IReactorUNIX). A path that begins with a NUL octet is a name in Linux's abstract namespace: no
/// file stands for it, and it ends with its socket. A path has at most 107 octets, the NUL included.
class ReactorUNIX {
public:
    /// Everybody may connect.
    static constexpr unsigned kDefaultMode = 0666;

    virtual ~ReactorUNIX() = default;

    /// Listens at @p path. A file that is there is an error, but for a dead server's socket under wantPID; our own one
    /// is removed when the port stops.
    /// @param mode the socket file's permissions: who may connect must be allowed to write. An abstract name has none
    /// @param wantPID keep the lock `<path>.lock`, by which others see whether the socket is in use: then the socket of
    /// a server that died is taken over, and that of a live one is an error
    /// @throws CannotListenError with the path and why
    virtual std::shared_ptr<ListeningPort> listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                                                      int backlog = ReactorTCP::kDefaultBacklog,
                                                      unsigned mode = kDefaultMode, bool wantPID = false) = 0;

    /// Connects to the server at @p path. While that has as many waiting as its backlog takes, it is tried again until
    /// @p timeout. Errors come to the factory, as with connectTCP.
    /// @param checkPID fail with BadFileError unless a live server holds the lock of wantPID
    virtual std::shared_ptr<Connector> connectUNIX(const std::string& path, std::shared_ptr<ClientFactory> factory,
                                                   Duration timeout = ReactorTCP::kDefaultConnectTimeout,
                                                   bool checkPID = false) = 0;
};

/// Stream sockets that somebody else has made (IReactorSocket). The descriptor is duplicated: the caller keeps its own,
/// and closes it whenever it wants. It is made non-blocking, which the duplicate shares with it.
class ReactorSocket {
public:
    virtual ~ReactorSocket() = default;

    /// Serves the connections of a socket that listens already. Its backlog stays, so does a UNIX socket's file when
    /// the port stops. The port listens once: startListening after the end is a CannotListenError.
    /// @param addressFamily ipv4, ipv6 or unixPath
    /// @throws UnsupportedAddressFamily for another kind
    /// @throws ValueError if it is no stream socket that listens, or of another family
    virtual std::shared_ptr<ListeningPort> adoptStreamPort(int fileDescriptor, Address::Kind addressFamily,
                                                           std::shared_ptr<Factory> factory) = 0;

    /// Puts a protocol of @p factory on a connection, as on one that was accepted; its connectionMade comes before this
    /// returns. A factory that builds none has our duplicate closed.
    /// @throws UnsupportedAddressFamily, ValueError as above
    /// @throws what buildProtocol throws; the duplicate is closed then
    virtual void adoptStreamConnection(int fileDescriptor, Address::Kind addressFamily,
                                       std::shared_ptr<Factory> factory) = 0;
};

/// Other threads (IReactorThreads).
class ReactorThreads {
public:
    virtual ~ReactorThreads() = default;

    /// Calls @p function on the reactor's thread, in order of the calls (TH-1). From any thread, also before run().
    /// After the reactor has stopped the function waits for the next run() or dies with the reactor, on its thread.
    /// It may be what ends the reactor: that is not gone before this call has let go of it.
    virtual void callFromThread(Function<void()> function) = 0;

    /// Makes the loop go round. From any thread.
    virtual void wakeUp() = 0;

    /// Runs @p function on a thread of the pool; exceptions are logged.
    virtual void callInThread(Function<void()> function) = 0;
};

/// An event loop and what it offers, as one object: nothing here is global. It belongs to the thread that calls run();
/// before that any one thread may set it up. Only callFromThread, stop and wakeUp may be called from other threads; the
/// rest assert that in debug builds.
class Reactor : public ReactorTime,
                public ReactorCore,
                public ReactorFDSet,
                public ReactorTCP,
                public ReactorSSL,
                public ReactorUNIX,
                public ReactorSocket,
                public ReactorThreads {
public:
    /// What the connections of this reactor share.
    virtual Turn& turn() = 0;

    /// The outermost protocols of all live connections that peers have begun, in no order: those that ports have
    /// accepted, and those that were adopted. Looks at everything that is watched, so it is not for each turn.
    virtual std::vector<std::shared_ptr<Protocol>> acceptedProtocols() const = 0;

    virtual HostnameResolver& nameResolver() = 0;

    /// Replaces the resolver. @return the one before
    virtual std::shared_ptr<HostnameResolver> installNameResolver(std::shared_ptr<HostnameResolver> resolver) = 0;
};

}  // namespace torsion
