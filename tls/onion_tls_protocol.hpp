#pragma once

// Private to the tls folder. Not installed.

#include <memory>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/tls/onion_protocol.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion {

/// One layer of an onion: TLS that tells its onion what becomes of it.
class OnionTLSProtocol final : public TLSMemoryBIOProtocol {
public:
    OnionTLSProtocol(OnionProtocol& onion, const ssl::ContextFactory& options, ssl::Role role,
                     std::shared_ptr<Protocol> wrappedProtocol)
        : TLSMemoryBIOProtocol(options, role, std::move(wrappedProtocol)), onion_(&onion) {}

    using ProtocolWrapper::asTransport;
    using ProtocolWrapper::setWrappedProtocol;

    /// Sends close_notify behind what was written, and pops when the peer's has come.
    void stop() {
        stopping = true;
        closeLayer();
    }

    /// Makes a record of what is gathered: what is written later must not share it (some peers lose what shares a
    /// record with the close_notify of the layer above).
    void endRecord() { flush(); }

    /// The layer is no longer part of the onion.
    void leave() noexcept { onion_ = nullptr; }

    Deferred<void> started;               ///< of startTLS
    std::vector<Deferred<void>> stopped;  ///< of stopTLS
    unsigned depth = 0;                   ///< 1 is the outermost; known when it is put on
    bool stopping = false;                ///< stopTLS was called

protected:
    void handshakeFinished() override;
    /// A layer that ends is popped, and the connection goes on; only the head knows of halves.
    HalfCloseableProtocol* halfCloseable() override { return nullptr; }
    bool peerMayClose() override { return onion_ == nullptr || onion_->layerMayClose(*this); }
    void closed(BytesView rest) override;
    void broken() override {
        if (onion_ != nullptr) onion_->layerBroken();
    }

private:
    OnionProtocol* onion_;  // outlives this: it holds the list that this is in
};

}  // namespace torsion
