#include <torsion/transports/wrap_client_tls.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/protocols/protocol_wrapper.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>

namespace torsion::endpoints {

namespace {

class TLSWrapperEndpoint final : public StreamClientEndpoint {
public:
    TLSWrapperEndpoint(std::shared_ptr<const ssl::ContextFactory> options,
                       std::shared_ptr<StreamClientEndpoint> wrapped)
        : options_(std::move(options)), wrapped_(std::move(wrapped)) {}

    Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) override {
        if (!factory) {
            return defer::fail<std::shared_ptr<Protocol>>(
                TypeError("an endpoint needs a factory to connect, not null"));
        }
        return wrapped_
            ->connectFactory(std::make_shared<TLSMemoryBIOFactory>(*options_, ssl::Role::client, std::move(factory)))
            .addCallback([](std::shared_ptr<Protocol> wrapper) -> std::shared_ptr<Protocol> {
                std::shared_ptr<Protocol> inner =
                    std::dynamic_pointer_cast<ProtocolWrapper>(wrapper)->wrappedProtocol();
                if (!inner) throw ConnectionLost("it ended before its protocol could be handed over");
                return inner;
            });
    }

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    std::shared_ptr<StreamClientEndpoint> wrapped_;
};

}  // namespace

std::shared_ptr<StreamClientEndpoint> wrapClientTLS(const ssl::ContextFactory& connectionCreator,
                                                    std::shared_ptr<StreamClientEndpoint> wrapped) {
    if (!wrapped) throw TypeError("wrapClientTLS needs an endpoint to wrap, not null");
    return std::make_shared<TLSWrapperEndpoint>(connectionCreator.share(), std::move(wrapped));
}

}  // namespace torsion::endpoints
