#include <torsion/tls/tls_memory_bio_factory.hpp>

#include <torsion/tls/session.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion {

TLSMemoryBIOFactory::TLSMemoryBIOFactory(const ssl::ContextFactory& options, ssl::Role role,
                                         std::shared_ptr<Factory> wrappedFactory)
    : WrappingFactory(std::move(wrappedFactory)), options_(options.share()), role_(role) {
    options_->newSession(role_, {});  // a recipe that cannot work says so now, not at the first connection
}

std::shared_ptr<ProtocolWrapper> TLSMemoryBIOFactory::wrap(std::shared_ptr<Protocol> protocol) {
    return std::make_shared<TLSMemoryBIOProtocol>(self(), *options_, role_, std::move(protocol));
}

std::string TLSMemoryBIOFactory::logPrefix() const { return wrappedFactory()->logPrefix() + " (TLS)"; }

}  // namespace torsion
