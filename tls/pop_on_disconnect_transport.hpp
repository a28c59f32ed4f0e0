#pragma once

#include <memory>
#include <utility>

#include <torsion/core/function.hpp>
#include <torsion/protocols/transport_proxy.hpp>

namespace torsion {

/// The transport of one layer of an onion. A TLS layer that is closed on both sides calls loseConnection of its
/// transport: here that runs a callback, once, and the real transport below stays open. Everything else goes to it,
/// failures and aborts included: a broken layer must end the connection, and never be taken for a pop.
class PopOnDisconnectTransport : public TransportProxy {
public:
    PopOnDisconnectTransport(std::shared_ptr<Transport> original, Function<void()> pop)
        : TransportProxy(std::move(original)), pop_(std::move(pop)) {}

    void loseConnection() override {
        if (Function<void()> pop = std::move(pop_)) pop();
    }

private:
    Function<void()> pop_;
};

}  // namespace torsion
