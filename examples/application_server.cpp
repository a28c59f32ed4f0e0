/// The echo server as an application of services: it drains before it ends, may give up root's rights, and tells the
/// service manager how it fares.

#include <torsion/examples/echo.hpp>
#include <torsion/examples/options.hpp>

using namespace torsion;

namespace {

std::string endpoint = "tcp:8000:interface=127.0.0.1";
int drainTime = 30000;
std::string user;
std::string group;
bool closeWhenDraining = false;

class DrainingEcho : public examples::Echo, public DrainListener {
    void draining() override {
        if (closeWhenDraining) transport().loseConnection();
    }
};

class EchoService : public service::StreamServerEndpointService {
public:
    explicit EchoService(Reactor& reactor)
        : StreamServerEndpointService(endpoints::serverFromString(reactor, endpoint),
                                      Factory::forProtocol<DrainingEcho>()),
          reactor_(reactor) {
        raiseSynchronously = true;
    }

    void startService() override {
        StreamServerEndpointService::startService();
        whenListening().addCallback(
            [this](const std::shared_ptr<ListeningPort>& port) { examples::listening(reactor_, *port); });
    }

private:
    Reactor& reactor_;
};

int serve(const examples::Options&) {
    return service::run([](Reactor& reactor) { return std::make_shared<EchoService>(reactor); },
                        {.drainTime = std::chrono::milliseconds(drainTime), .user = user, .group = group});
}

}  // namespace

int main(int argc, char** argv) {
    examples::Options options("application_server", "Sends back whatever it receives, as an application of services.");
    options.text("--endpoint", endpoint, "where to listen, as an endpoint string");
    options.number("--drain-time", drainTime, 0, 3600000, "how many milliseconds connections may take to finish");
    options.text("--user", user, "who to go on as when it listens");
    options.text("--group", group, "another group than the user's own");
    options.flag("--close-when-draining", closeWhenDraining, "close connections instead of waiting for the peers");
    return options.run(argc, argv, serve);
}
