#include <torsion/transports/wrap_client_tls.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion::endpoints {

namespace {

/// What the application is given when its connection is made.
std::shared_ptr<Protocol> unwrap(const std::shared_ptr<Protocol>& layer) {
    std::shared_ptr<Protocol> inner = static_cast<ProtocolWrapper&>(*layer).wrappedProtocol();
    if (!inner) throw ConnectionLost("it ended before its protocol could be handed over");
    return inner;
}

Deferred<std::shared_ptr<Protocol>> whenEstablished(const std::shared_ptr<Protocol>& layer) {
    return static_cast<TLSMemoryBIOProtocol&>(*layer).established().addCallbacks(
        [layer] { return unwrap(layer); },
        [peer = layer->transport().getPeer()](const Failure& failure) -> std::shared_ptr<Protocol> {
            if (failure.check<defer::CancelledError>()) throw ConnectingCancelledError(peer.str());
            failure.raise();
        });
}

class TLSWrapperEndpoint final : public StreamClientEndpoint {
public:
    TLSWrapperEndpoint(std::shared_ptr<const ssl::ContextFactory> options,
                       std::shared_ptr<StreamClientEndpoint> wrapped, ConnectionMade connectionMade)
        : options_(std::move(options)), wrapped_(std::move(wrapped)), connectionMade_(connectionMade) {}

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override {
        if (!factory) {
            return defer::fail<std::shared_ptr<Protocol>>(
                TypeError("an endpoint needs a factory to connect, not null"));
        }
        auto layer = wrapped_->connectFactory(
            std::make_shared<TLSMemoryBIOFactory>(*options_, ssl::Role::client, std::move(factory), connectionMade_));
        return connectionMade_ == ConnectionMade::afterHandshake ? layer.addCallback(whenEstablished)
                                                                 : layer.addCallback(unwrap);
    }

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    std::shared_ptr<StreamClientEndpoint> wrapped_;
    ConnectionMade connectionMade_;
};

}  // namespace

std::shared_ptr<StreamClientEndpoint> wrapClientTLS(const ssl::ContextFactory& connectionCreator,
                                                    std::shared_ptr<StreamClientEndpoint> wrapped,
                                                    ConnectionMade connectionMade) {
    if (!wrapped) throw TypeError("wrapClientTLS needs an endpoint to wrap, not null");
    return std::make_shared<TLSWrapperEndpoint>(connectionCreator.share(), std::move(wrapped), connectionMade);
}

}  // namespace torsion::endpoints
