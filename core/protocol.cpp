#include <torsion/core/protocol.hpp>

#include <torsion/core/factory.hpp>
#include <torsion/core/log.hpp>

namespace torsion {

namespace {

/// What transport() is before makeConnection: says so, whatever is asked of it.
class NotConnectedTransport final : public Transport {
public:
    void registerProducer(std::shared_ptr<Producer>, bool) override { refuse(); }
    void unregisterProducer() override { refuse(); }
    void pauseProducing() override { refuse(); }
    void resumeProducing() override { refuse(); }
    void stopProducing() override { refuse(); }
    void loseConnection() override { refuse(); }
    void abortConnection() override { refuse(); }
    void failConnection(const Failure&) override { refuse(); }
    Address getPeer() const override { refuse(); }
    Address getHost() const override { refuse(); }
    bool disconnecting() const override { return false; }
    Turn& turn() override { refuse(); }
    Transport* lower() noexcept override { return nullptr; }

protected:
    void writeView(BytesView) override { refuse(); }
    void writeOwned(Bytes&&) override { refuse(); }

private:
    [[noreturn]] static void refuse() { throw NotConnected(); }
};

}  // namespace

const std::shared_ptr<Transport>& Protocol::notConnected() noexcept {
    static const std::shared_ptr<Transport>& transport =
        *new std::shared_ptr<Transport>(std::make_shared<NotConnectedTransport>());
    return transport;
}

void Protocol::makeConnection(std::shared_ptr<Transport> transport) {
    transport_ = std::move(transport);
    connected_ = true;
    if (scope_.cancelled()) scope_ = Scope();  // one more connection of the same protocol
    connectionMade();
}

void Protocol::deliverConnectionLost(const Failure& reason) noexcept {
    if (!connected_) return;
    connected_ = false;
    const std::shared_ptr<Protocol> self = shared_from_this();
    try {
        connectionLost(reason);
    } catch (...) {
        log::err(Failure::current(), "in connectionLost");
    }
    scope_.cancel();
    releaseWrapped();
}

}  // namespace torsion
