#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <typeinfo>

#include <torsion/core/address.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/producer.hpp>

namespace torsion {

class TCPTransport;
class Turn;

/// One end of a stream (ITransport, IConsumer and IPushProducer in one, for every transport is all three).
///
/// Every method may be called from any callback of the protocol, on the reactor's thread only, and none calls the
/// protocol back before it returns; only producers are (see Producer). After connectionLost all are silent no-ops, and
/// the addresses stay readable.
class Transport : public Consumer, public Producer {
public:
    /// Queues all pieces, in order.
    void writeSequence(std::span<const BytesView> pieces) {
        for (const BytesView piece : pieces) writeView(piece);
    }

    /// Sends what is queued, then closes. Idempotent. No dataReceived comes after it (TR-3, D24).
    virtual void loseConnection() = 0;

    /// Closes at once and drops what is queued; connectionLost(ConnectionAborted) comes in a later turn (TR-7).
    virtual void abortConnection() = 0;

    /// Ends the connection because of @p reason, which will be connectionLost's: what is queued is still sent, within
    /// the close timeout; abortConnection behind it drops that, and keeps the reason. For layers that find something
    /// wrong; applications mostly want one of the two above.
    virtual void failConnection(const Failure& reason) = 0;

    virtual Address getPeer() const = 0;
    virtual Address getHost() const = 0;

    /// True from loseConnection, abortConnection or failConnection on.
    virtual bool disconnecting() const = 0;

    /// The turn of the reactor that this transport belongs to.
    virtual Turn& turn() = 0;

    /// The transport that this layer writes to; null for the lowest.
    virtual Transport* lower() noexcept = 0;

    /// The nearest layer from here downward that can do T (TCPTransport, TLSTransport, SSLTransport, ...), or null.
    template <class T>
    T* query() {
        for (Transport* layer = this; layer != nullptr; layer = layer->lower()) {
            if constexpr (std::is_same_v<T, TCPTransport>) {
                if (T* able = layer->tcpTransport()) return able;
            } else {
                if (T* able = dynamic_cast<T*>(layer)) return able;
            }
        }
        return nullptr;
    }

    /// The nearest layer that can do T. @throws TypeError that names T and every layer asked
    template <class T>
    T& as() {
        if (T* able = query<T>()) return *able;
        throwUnable(typeid(T));
    }

protected:
    /// This layer as a TCPTransport, or null. For the classes that know it: nearly every connection is asked for that
    /// when it begins, to set TCP_NODELAY, and the cast that finds it out takes up to a thousand instructions.
    virtual TCPTransport* tcpTransport() noexcept;

private:
    [[noreturn]] void throwUnable(const std::type_info& ability);
};

}  // namespace torsion
