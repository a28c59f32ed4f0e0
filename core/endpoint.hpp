#pragma once

#include <memory>
#include <type_traits>

#include <torsion/core/connector.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/factory.hpp>

namespace torsion {

/// Where to connect to (IStreamClientEndpoint). May be used many times (EP-5).
class StreamClientEndpoint {
public:
    virtual ~StreamClientEndpoint() = default;

    /// Connects, and gives the protocol that @p factory built, after its connectionMade has returned (EP-1). For a
    /// factory of forProtocol<P> the result is a std::shared_ptr<P>. All errors come through the Deferred (EP-4);
    /// cancel it to give up, with ConnectingCancelledError (EP-2).
    template <class F>
    auto connect(std::shared_ptr<F> factory) {
        if constexpr (requires { typename F::ProtocolType; }) {
            using P = typename F::ProtocolType;
            return connectFactory(std::move(factory)).addCallback([](std::shared_ptr<Protocol> protocol) {
                return std::static_pointer_cast<P>(std::move(protocol));
            });
        } else {
            return connectFactory(std::move(factory));
        }
    }

    /// What connect() does; for implementers.
    virtual Deferred<std::shared_ptr<Protocol>> connectFactory(std::shared_ptr<Factory> factory) = 0;
};

/// Where to listen (IStreamServerEndpoint). May be used many times (EP-5).
class StreamServerEndpoint {
public:
    virtual ~StreamServerEndpoint() = default;

    /// Listens. All errors come through the Deferred (EP-4).
    virtual Deferred<std::shared_ptr<ListeningPort>> listen(std::shared_ptr<Factory> factory) = 0;
};

}  // namespace torsion
