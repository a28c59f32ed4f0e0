#include <torsion/transports/tcp_port.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <torsion/core/log.hpp>
#include <torsion/transports/accepted_sockets.hpp>
#include <torsion/transports/listening_socket.hpp>
#include <torsion/transports/port_end.hpp>

namespace torsion::tcp {

namespace {

/// How many connections one turn accepts: at first, and how many more after a turn that found as many.
constexpr int kFirstBatch = 100;
constexpr int kBatchStep = 20;

/// After the system has run out of memory or files, how long to leave it alone.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

Socket reserve() { return Socket(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

Port::Port(Reactor& reactor, int port, std::shared_ptr<Factory> factory, int backlog, const std::string& interface)
    : reactor_(reactor),
      wantedPort_(port),
      backlog_(backlog),
      interface_(interface),
      factory_(std::move(factory)),
      batch_(kFirstBatch) {
    if (port < 0 || port > 65535) throw ValueError("A port is a number from 0 to 65535, not " + std::to_string(port));
    if (!factory_) throw ValueError("listenTCP needs a factory");
}

Port::Port(Reactor& reactor, std::shared_ptr<Factory> factory, int backlog, const char* caller)
    : reactor_(reactor), wantedPort_(0), backlog_(backlog), factory_(std::move(factory)), batch_(kFirstBatch) {
    if (!factory_) throw ValueError(std::string(caller) + " needs a factory");
}

Port::Port(Reactor& reactor, Socket listening, std::shared_ptr<Factory> factory, int backlog)
    : Port(reactor, listening.localAddress().port(), std::move(factory), backlog, listening.localAddress().host()) {
    given_ = std::move(listening);
}

Port::~Port() = default;

Socket Port::open() { return given_ ? std::exchange(given_, {}) : listeningSocket(interface_, wantedPort_, backlog_); }

void Port::startListening() {
    if (socket_) return;
    Socket socket = open();
    host_ = socket.localAddress();
    exactHost_ = exactHost(host_);
    log::msg(factory_->logPrefix() + " starting on " + place());
    std::unique_ptr<DescriptorWatch> watch = reactor_.watch(socket.descriptor(), *this);
    factory_->doStart();
    socket_ = std::move(socket);
    reserve_ = reserve();
    watch_ = std::move(watch);
    watch_->setReading(true);
    self_ = shared_from_this();
}

Deferred<void> Port::stopListening() {
    if (!socket_) return defer::succeed();
    return closeAndTell(reactor_.turn(), [this] { close(); });
}

void Port::close() {
    if (retry_.active()) retry_.cancel();
    watch_.reset();
    closing();
    socket_.close();
    reserve_.close();
    log::msg("(" + kind() + ' ' + place() + " Closed)");
    reactor_.turn().deferDeletion(std::move(self_));
    factory_->doStop();  // last: it may throw
}

void Port::reactorGone(const Failure&) {
    if (socket_) close();
}

void Port::readable() {
    int accepted = 0;
    while (accepted < batch_ && socket_ && acceptOne()) ++accepted;
    // Learns how many come at once, so that other sockets get their turn in a storm of connections.
    batch_ = accepted == batch_ ? batch_ + kBatchStep : std::max(accepted, 1);
}

/// @return whether to go on with this batch
bool Port::acceptOne() {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    Socket socket(
        ::accept4(socket_.descriptor(), reinterpret_cast<sockaddr*>(&storage), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return acceptFailed(errno);
    serve(std::move(socket), Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length));
    return true;
}

bool Port::acceptFailed(int error) {
    switch (error) {
        case EAGAIN: return false;
        case EINTR:
        case EPERM:         // a firewall took it
        case ECONNABORTED:  // the client gave up while it waited
            return true;
        case EMFILE:
            if (shedBacklog()) return false;
            [[fallthrough]];
        default:
            // EMFILE without a reserve, ENFILE, ENOBUFS, ENOMEM: the connection still waits, and would be reported at
            // once again.
            log::warn("Could not accept new connection (" + std::string(std::strerror(error)) + ")");
            watch_->setReading(false);
            retry_ = reactor_.callLater(kAcceptPause, [this] { watch_->setReading(true); });
            return false;
    }
}

/// We are out of descriptors: whoever waits would wait for ever. Gives up the reserve to accept and close them.
/// @return false if there is no reserve to give up
bool Port::shedBacklog() {
    if (!reserve_) reserve_ = reserve();
    if (!reserve_) return false;
    log::warn("Could not accept new connection (EMFILE): closing those that wait");
    reserve_.close();
    for (int i = 0; i < backlog_ + 1; ++i) {
        const Socket refused(::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!refused) break;
    }
    reserve_ = reserve();
    return true;
}

void Port::serve(Socket socket, const Address& peer) {
    if (handOver_ && handOver_(socket, peer)) return;
    serveAccepted(reactor_, *factory_, std::move(socket), peer, exactHost_);
}

}  // namespace torsion::tcp
