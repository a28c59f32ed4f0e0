#pragma once

// Private. Not installed.

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/core/function.hpp>
#include <torsion/reactor/reactor_handle.hpp>
#include <torsion/reactor/reactor_pool.hpp>
#include <torsion/transports/accepted_sockets.hpp>
#include <torsion/transports/listening_socket.hpp>

namespace torsion::detail {

/// The listening sockets of a port of a pool.
struct PoolSockets {
    using Open = Function<Socket(int port, tcp::PortUse)>;

    /// Opens one for each of @p count reactors, or only one if that is wanted, or if the kernel does not let the others
    /// share the first one's address. Without descriptors or memory for all, it fails.
    /// @param open opens one at that port
    /// @throws CannotListenError; then there are none
    static PoolSockets open(std::size_t count, Accepting wanted, int port, Open open);

    std::vector<Socket> sockets;
    Accepting accepting = Accepting::handOver;
};

/// A port of a pool: what each reactor has of it.
class PoolListening final : public PoolPort {
public:
    using Handles = std::vector<std::shared_ptr<ReactorHandle>>;

    /// @param options null for plain TCP
    PoolListening(Handles handles, PoolSockets sockets, ReactorPool::FactoryMaker makeFactory,
                  std::shared_ptr<const ssl::ContextFactory> options, int backlog);

    Address getHost() const override { return host_; }
    Accepting accepting() const override { return accepting_; }
    void stopListening() override;

    /// On the thread of reactor @p index: makes its factory, and listens. Never by two threads at once.
    void begin(Reactor& reactor, std::size_t index);

    /// On that thread: the reactor runs no more. Its port ends, whatever it is doing, so that the kernel gives its
    /// connections to the others.
    void end(std::size_t index);

    /// From any thread: closes the sockets with which no reactor listens, and lets none begin.
    void close();

private:
    /// One reactor's part; touched on its thread alone.
    struct Part {
        std::shared_ptr<ListeningPort> port;
        std::shared_ptr<tcp::AcceptedSockets> accepted;  ///< the same, if another reactor accepts for it
    };

    bool stopped();
    /// A connection on its way from the reactor that accepted it.
    struct Accepted {
        Socket socket;
        Address peer;
    };
    /// What waits for one reactor to serve it. Closed when its reactor takes nothing, so that nothing waits in vain.
    struct Inbox {
        std::mutex mutex;
        bool open = false;
        std::vector<Accepted> waiting;
    };

    Socket claim(std::size_t index);
    bool handOver(Socket& socket, const Address& peer);
    bool put(std::size_t index, Socket& socket, const Address& peer);
    void takeAll(std::size_t index);
    void setOpen(std::size_t index, bool open);
    void stop(std::size_t index);

    const Handles handles_;
    const Accepting accepting_;
    ReactorPool::FactoryMaker makeFactory_;
    const std::shared_ptr<const ssl::ContextFactory> options_;
    const int backlog_;
    Address host_;
    std::vector<Part> parts_;
    std::vector<Inbox> inboxes_;
    std::size_t last_ = 0;  ///< who got the last connection; the accepting reactor's

    std::mutex mutex_;
    std::vector<Socket> unclaimed_;
    bool stopped_ = false;
};

}  // namespace torsion::detail
