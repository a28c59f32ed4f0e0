#include <torsion/transports/wrap_server_tls.hpp>

#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>

namespace torsion::endpoints {

namespace {

class TLSServerEndpoint final : public StreamServerEndpoint {
public:
    TLSServerEndpoint(std::shared_ptr<const ssl::ContextFactory> options, std::shared_ptr<StreamServerEndpoint> wrapped,
                      ConnectionMade connectionMade)
        : options_(std::move(options)), wrapped_(std::move(wrapped)), connectionMade_(connectionMade) {}

    Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) override {
        if (!factory) {
            return defer::fail<std::shared_ptr<ListeningPort>>(
                TypeError("an endpoint needs a factory to listen, not null"));
        }
        std::shared_ptr<TLSMemoryBIOFactory> overTLS;
        try {
            overTLS = std::make_shared<TLSMemoryBIOFactory>(*options_, ssl::Role::server, std::move(factory),
                                                            connectionMade_);
        } catch (...) {
            return defer::fail<std::shared_ptr<ListeningPort>>();  // EP-4
        }
        return wrapped_->listen(std::move(overTLS));
    }

private:
    std::shared_ptr<const ssl::ContextFactory> options_;
    std::shared_ptr<StreamServerEndpoint> wrapped_;
    ConnectionMade connectionMade_;
};

}  // namespace

std::shared_ptr<StreamServerEndpoint> wrapServerTLS(const ssl::ContextFactory& options,
                                                    std::shared_ptr<StreamServerEndpoint> wrapped,
                                                    ConnectionMade connectionMade) {
    if (!wrapped) throw TypeError("wrapServerTLS needs an endpoint to wrap, not null");
    return std::make_shared<TLSServerEndpoint>(options.share(), std::move(wrapped), connectionMade);
}

}  // namespace torsion::endpoints
