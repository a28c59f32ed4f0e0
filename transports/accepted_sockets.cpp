#include <torsion/transports/accepted_sockets.hpp>

#include <utility>

#include <torsion/core/log.hpp>
#include <torsion/transports/port_end.hpp>
#include <torsion/transports/tcp_connection.hpp>

namespace torsion::tcp {

void serveAccepted(Reactor& reactor, Factory& factory, Socket socket, const Address& peer,
                   const std::shared_ptr<const Address>& host) {
    std::shared_ptr<Protocol> protocol;
    try {
        protocol = factory.build(peer);
    } catch (...) {
        log::err(Failure::current(), "in buildProtocol of " + factory.logPrefix());
    }
    if (!protocol) return;
    const auto connection = std::make_shared<Connection>(reactor, std::move(socket), Connection::Side::server, peer);
    connection->setHost(host);
    connection->open(std::move(protocol), nullptr);
}

std::shared_ptr<const Address> exactHost(const Address& host) {
    const std::string text = host.host();
    return text == "0.0.0.0" || text == "::" ? nullptr : std::make_shared<const Address>(host);
}

AcceptedSockets::AcceptedSockets(Reactor& reactor, std::shared_ptr<Factory> factory, const Address& host)
    : reactor_(reactor), factory_(std::move(factory)), host_(host), exactHost_(exactHost(host)) {
    if (!factory_) throw ValueError("a port needs a factory");
}

void AcceptedSockets::startListening() {
    if (watch_) return;
    std::unique_ptr<DescriptorWatch> watch = reactor_.watch(-1, *this);
    factory_->doStart();
    watch_ = std::move(watch);
    self_ = shared_from_this();
}

Deferred<void> AcceptedSockets::stopListening() {
    if (!watch_) return defer::succeed();
    return closeAndTell(reactor_.turn(), [this] { close(); });
}

void AcceptedSockets::close() {
    watch_.reset();
    reactor_.turn().deferDeletion(std::move(self_));
    factory_->doStop();  // last: it may throw
}

void AcceptedSockets::reactorGone(const Failure&) {
    if (watch_) close();
}

void AcceptedSockets::take(Socket socket, const Address& peer) {
    if (watch_) serveAccepted(reactor_, *factory_, std::move(socket), peer, exactHost_);
}

}  // namespace torsion::tcp
