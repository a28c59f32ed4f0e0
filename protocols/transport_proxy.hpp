#pragma once

#include <memory>

#include <torsion/core/abilities.hpp>
#include <torsion/core/transport.hpp>

namespace torsion {

/// A transport that passes every call on to another one: derive, and override single methods
/// (proxyForInterface(ITCPTransport)).
class TransportProxy : public Transport, public TCPTransport {
public:
    explicit TransportProxy(std::shared_ptr<Transport> original)
        : original_(std::move(original)), tcp_(original_->query<TCPTransport>()) {}

    /// The transport that calls go to.
    const std::shared_ptr<Transport>& original() const noexcept { return original_; }

    void registerProducer(std::shared_ptr<Producer> producer, bool streaming) override {
        original_->registerProducer(std::move(producer), streaming);
    }
    void unregisterProducer() override { original_->unregisterProducer(); }
    void pauseProducing() override { original_->pauseProducing(); }
    void resumeProducing() override { original_->resumeProducing(); }
    void stopProducing() override { original_->stopProducing(); }
    void loseConnection() override { original_->loseConnection(); }
    void abortConnection() override { original_->abortConnection(); }
    void failConnection(const Failure& reason) override { original_->failConnection(reason); }
    Address getPeer() const override { return original_->getPeer(); }
    Address getHost() const override { return original_->getHost(); }
    bool disconnecting() const override { return original_->disconnecting(); }
    Turn& turn() override { return original_->turn(); }
    Transport* lower() noexcept override { return original_.get(); }

    /// These need a TCP transport below. @throws TypeError without one
    void loseWriteConnection() override { tcp().loseWriteConnection(); }
    bool getTcpNoDelay() const override { return tcp().getTcpNoDelay(); }
    void setTcpNoDelay(bool enabled) override { tcp().setTcpNoDelay(enabled); }
    bool getTcpKeepAlive() const override { return tcp().getTcpKeepAlive(); }
    void setTcpKeepAlive(bool enabled) override { tcp().setTcpKeepAlive(enabled); }
    void setFinishWriting(bool enabled) override { tcp().setFinishWriting(enabled); }
    void setOutputLimit(std::size_t octets) override { tcp().setOutputLimit(octets); }
    void setCloseTimeout(Duration timeout) override { tcp().setCloseTimeout(timeout); }
    std::size_t bufferedBytes() const override { return tcp().bufferedBytes(); }

protected:
    void writeView(BytesView data) override { original_->write(data); }
    void writeOwned(Bytes&& data) override { original_->write(std::move(data)); }

    TCPTransport& tcp() const { return tcp_ != nullptr ? *tcp_ : original_->as<TCPTransport>(); }

private:
    std::shared_ptr<Transport> original_;
    TCPTransport* tcp_;  // looked up once: bufferedBytes is asked for often
};

}  // namespace torsion
