#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/connector.hpp>
#include <torsion/core/deferred.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/function.hpp>

namespace torsion::endpoints::detail {

/// One attempt of an endpoint to connect: turns what a connector tells its factory into a Deferred (EP-1 to EP-6).
///
/// It hands out the user's own protocols, so that nothing stands on the path of the data and every ability of theirs is
/// found; when connectionMade has returned it learns from ClientFactory::protocolConnected. The connector owns it. The
/// Deferred fires once: with the protocol; or with why the attempt failed, NoProtocol, ConnectingCancelledError, or
/// what the user's buildProtocol or connectionMade threw. What happens to the connection later is told to the protocol
/// alone.
class ClientEndpointFactory final : public ClientFactory {
public:
    using Result = Deferred<std::shared_ptr<Protocol>>;

    /// Begins the connection with the factory that it is given, and returns its connector.
    using Begin = Function<std::shared_ptr<Connector>(std::shared_ptr<ClientFactory>)>;

    /// An attempt to connect a protocol of @p factory to @p destination, which only goes into texts.
    static std::shared_ptr<ClientEndpointFactory> create(std::shared_ptr<Factory> factory, Address destination);

    /// Makes an attempt and starts it. Never throws: errors come through the Deferred (EP-4).
    static Result connect(std::shared_ptr<Factory> factory, Address destination, Begin begin);

    /// Calls @p begin; what it throws goes into the Deferred. Once.
    void start(Begin begin);

    /// The outcome; to be asked for before start(). To cancel it is to give up the attempt.
    const Result& result() const noexcept { return result_; }

    /// Cancels the result, if it is still to come.
    void giveUp();

    /// Whether there was a connection, so that a failure is the application's own and no other address would help.
    bool reached() const noexcept { return reached_; }

    std::shared_ptr<Protocol> buildProtocol(const Address& address) override;
    void protocolConnected(const std::shared_ptr<Protocol>& protocol, const Failure* raised) override;
    void clientConnectionFailed(Connector& connector, const Failure& reason) override;
    void clientConnectionLost(Connector& connector, const Failure& reason) override;

    // The user's factory hears of begin and end itself, once an attempt (EP-6).
    void doStart() override { factory_->doStart(); }
    void doStop() override { factory_->doStop(); }
    std::vector<std::string> acceptableProtocols() const override { return factory_->acceptableProtocols(); }
    std::string logPrefix() const override { return factory_->logPrefix(); }

    /// Use create().
    ClientEndpointFactory(std::shared_ptr<Factory> factory, Address destination)
        : factory_(std::move(factory)), destination_(std::move(destination)) {}

private:
    bool done() const noexcept { return !result_.valid(); }
    void fail(const Failure& reason);
    void cancelled(const Result& result);

    std::shared_ptr<Factory> factory_;
    Address destination_;
    Result result_;  // moved out when it fires: it would hold the protocol, whose transport's connector holds us
    std::weak_ptr<Connector> connector_;  // it owns us
    bool reached_ = false;
};

}  // namespace torsion::endpoints::detail
