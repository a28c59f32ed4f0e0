#include <torsion/reactor/pool_port.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/transports/tcp_port.hpp>

namespace torsion::detail {

namespace {

/// The reactor that accepts for all: the one that may be relied upon to be there.
constexpr std::size_t kAcceptor = 0;

bool sharingIsUnknown(const CannotListenError& error) {
    return error.osError() == ENOPROTOOPT || error.osError() == EOPNOTSUPP;
}

bool isWantOfResources(const CannotListenError& error) {
    const int number = error.osError();
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

}  // namespace

PoolSockets PoolSockets::open(std::size_t count, Accepting wanted, int port, Open open) {
    PoolSockets result;
    if (wanted == Accepting::handOver || count == 1) {
        result.accepting = wanted;
        result.sockets.push_back(open(port, tcp::PortUse::exclusive));
        return result;
    }
    try {
        result.sockets.push_back(open(port, tcp::PortUse::founds));
    } catch (const CannotListenError& error) {
        if (!sharingIsUnknown(error)) throw;
        log::warn("The kernel knows no SO_REUSEPORT: one reactor accepts for all");
        result.sockets.push_back(open(port, tcp::PortUse::exclusive));
        return result;
    }
    port = result.sockets.front().localAddress().port();
    try {
        while (result.sockets.size() < count) result.sockets.push_back(open(port, tcp::PortUse::joins));
    } catch (const CannotListenError& error) {
        if (isWantOfResources(error)) throw;
        log::warn("The kernel refuses to share a port (" + std::string(error.what()) +
                  "): one reactor accepts for all");
        result.sockets.resize(1);
        return result;
    }
    result.accepting = Accepting::reusePort;
    return result;
}

PoolListening::PoolListening(Handles handles, PoolSockets sockets, ReactorPool::FactoryMaker makeFactory,
                             std::shared_ptr<const ssl::ContextFactory> options, int backlog)
    : handles_(std::move(handles)),
      accepting_(sockets.accepting),
      makeFactory_(std::move(makeFactory)),
      options_(std::move(options)),
      backlog_(backlog),
      host_(sockets.sockets.front().localAddress()),
      parts_(handles_.size()),
      inboxes_(handles_.size()),
      last_(handles_.size() - 1),
      unclaimed_(std::move(sockets.sockets)) {}

/// The socket for a reactor to listen with; none for one that another accepts for, and none after stopListening.
Socket PoolListening::claim(std::size_t index) {
    const std::lock_guard lock(mutex_);
    return index < unclaimed_.size() ? std::exchange(unclaimed_[index], {}) : Socket();
}

bool PoolListening::stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
}

void PoolListening::begin(Reactor& reactor, std::size_t index) {
    if (stopped()) return;
    std::shared_ptr<Factory> factory = makeFactory_(reactor);
    if (!factory) throw ValueError("the function that makes a factory for each reactor of a pool made none");
    if (options_) factory = std::make_shared<TLSMemoryBIOFactory>(*options_, ssl::Role::server, std::move(factory));
    Part& part = parts_[index];
    if (Socket socket = claim(index)) {
        auto port = std::make_shared<tcp::Port>(reactor, std::move(socket), std::move(factory), backlog_);
        if (accepting_ == Accepting::handOver) {
            // The port may live on after this, but not accept any more: the pool keeps us until all have ended.
            port->setHandOver([this](Socket& accepted, const Address& peer) { return handOver(accepted, peer); });
        }
        part.port = std::move(port);
    } else if (accepting_ == Accepting::handOver && index != kAcceptor) {
        part.accepted = std::make_shared<tcp::AcceptedSockets>(reactor, std::move(factory), host_);
        part.port = part.accepted;
    } else {
        return;
    }
    part.port->startListening();
    setOpen(index, part.accepted != nullptr);
}

/// Each in turn that takes connections now, the acceptor among them.
/// @return false if it is the acceptor's own turn, or nobody else takes it
bool PoolListening::handOver(Socket& socket, const Address& peer) {
    for (;;) {
        last_ = (last_ + 1) % handles_.size();
        if (last_ == kAcceptor) return false;
        if (put(last_, socket, peer)) return true;
    }
}

/// @return whether it was taken: not by a reactor that does not listen, or has a whole backlog to look after
bool PoolListening::put(std::size_t index, Socket& socket, const Address& peer) {
    Inbox& inbox = inboxes_[index];
    {
        const std::lock_guard lock(inbox.mutex);
        if (!inbox.open || inbox.waiting.size() >= static_cast<std::size_t>(std::max(backlog_, 1))) return false;
        inbox.waiting.push_back({std::move(socket), peer});
        if (inbox.waiting.size() > 1) return true;  // it has been told already
    }
    handles_[index]->callFromThread([this, index] { takeAll(index); });
    return true;
}

void PoolListening::takeAll(std::size_t index) {
    std::vector<Accepted> all;
    {
        const std::lock_guard lock(inboxes_[index].mutex);
        all.swap(inboxes_[index].waiting);
    }
    for (Accepted& one : all) {
        if (const auto port = parts_[index].accepted) port->take(std::move(one.socket), one.peer);
    }
}

void PoolListening::setOpen(std::size_t index, bool open) {
    const std::lock_guard lock(inboxes_[index].mutex);
    inboxes_[index].open = open;
}

void PoolListening::close() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    unclaimed_.clear();
}

void PoolListening::stopListening() {
    close();
    const auto self = std::static_pointer_cast<PoolListening>(shared_from_this());
    for (std::size_t index = 0; index < handles_.size(); ++index) {
        handles_[index]->callFromThread([self, index] { self->stop(index); });
    }
}

void PoolListening::stop(std::size_t index) {
    setOpen(index, false);
    const std::shared_ptr<ListeningPort> port = std::exchange(parts_[index], {}).port;
    if (!port) return;
    port->stopListening().addErrback([](const Failure& failure) { log::err(failure, "while a pool's port stopped"); });
}

void PoolListening::end(std::size_t index) {
    claim(index);
    stop(index);
    std::vector<Accepted> late;  // closed here: nobody will call to have them taken
    const std::lock_guard lock(inboxes_[index].mutex);
    late.swap(inboxes_[index].waiting);
}

}  // namespace torsion::detail
