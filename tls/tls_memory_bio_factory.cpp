#include <torsion/tls/tls_memory_bio_factory.hpp>

#include <torsion/tls/session.hpp>
#include <torsion/tls/timeouts.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion {

namespace {

/// A recipe with timeouts of its own.
class Timed final : public ssl::ContextFactory {
public:
    Timed(std::shared_ptr<const ContextFactory> recipe, Duration handshakeTimeout, Duration closeTimeout)
        : recipe_(std::move(recipe)), handshakeTimeout_(handshakeTimeout), closeTimeout_(closeTimeout) {}
    std::shared_ptr<const ContextFactory> share() const override { return std::make_shared<Timed>(*this); }
    std::unique_ptr<ssl::Session> newSession(ssl::Role role, const ssl::SessionOptions& options) const override {
        return recipe_->newSession(role, options);
    }
    Duration handshakeTimeout() const override { return handshakeTimeout_; }
    Duration closeTimeout() const override { return closeTimeout_; }

private:
    std::shared_ptr<const ContextFactory> recipe_;
    Duration handshakeTimeout_;
    Duration closeTimeout_;
};

}  // namespace

TLSMemoryBIOFactory::TLSMemoryBIOFactory(const ssl::ContextFactory& options, ssl::Role role,
                                         std::shared_ptr<Factory> wrappedFactory, ConnectionMade connectionMade)
    : WrappingFactory(std::move(wrappedFactory)),
      options_(options.share()),
      role_(role),
      connectionMade_(connectionMade) {
    noisy = false;                    // the wrapped one speaks for both
    options_->newSession(role_, {});  // a recipe that cannot work says so now, not at the first connection
}

void TLSMemoryBIOFactory::setHandshakeTimeout(Duration timeout) {
    options_ =
        std::make_shared<Timed>(options_, ssl::checkedTimeout(timeout, "handshake timeout"), options_->closeTimeout());
}

void TLSMemoryBIOFactory::setCloseTimeout(Duration timeout) {
    options_ =
        std::make_shared<Timed>(options_, options_->handshakeTimeout(), ssl::checkedTimeout(timeout, "close timeout"));
}

std::shared_ptr<ProtocolWrapper> TLSMemoryBIOFactory::wrap(std::shared_ptr<Protocol> protocol) {
    return std::make_shared<TLSMemoryBIOProtocol>(self(), options_, role_, std::move(protocol), connectionMade_);
}

void TLSMemoryBIOFactory::protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) {
    if (raised != nullptr || connectionMade_ == ConnectionMade::beforeHandshake) {
        WrappingFactory::protocolConnected(protocol, raised);
        return;
    }
    // So far only this layer is connected. The wrapped protocol has no connection if the handshake fails.
    const auto forward = [self = self(), weak = std::weak_ptr<Protocol>(protocol)](const Failure* failure) {
        const std::shared_ptr<Protocol> layer = weak.lock();
        if (layer && static_cast<TLSMemoryBIOProtocol&>(*layer).wrappedProtocol()) {
            self->WrappingFactory::protocolConnected(layer, failure);
        }
    };
    static_cast<TLSMemoryBIOProtocol&>(*protocol).established().addCallbacks(
        [forward] { forward(nullptr); }, [forward](const Failure& failure) { forward(&failure); });
}

std::string TLSMemoryBIOFactory::logPrefix() const { return wrappedFactory()->logPrefix() + " (TLS)"; }

}  // namespace torsion
