// The programs of docs/applications.md, so that they compile. A test compares the two.

#include <vector>

#include <torsion/torsion.hpp>

using namespace torsion;
using namespace std::chrono_literals;

namespace first {

class Echo : public Protocol {
    void dataReceived(BytesView data) override { transport().write(data); }
};

// [run]
std::shared_ptr<service::Service> application(Reactor& reactor) {
    auto all = std::make_shared<service::MultiService>();
    auto endpoint = endpoints::serverFromString(reactor, "tcp:80");
    all->addService<service::StreamServerEndpointService>(endpoint, Factory::forProtocol<Echo>());
    all->addService<service::TimerService>(reactor, 60s, [] { log::msg("still here"); });
    return all;
}

int main() { return service::run(application, {.drainTime = 20s, .user = "www-data"}); }
// [end]

}  // namespace first

namespace drain {

// [listener]
class Requests : public LineReceiver, public DrainListener {
public:
    void lineReceived(BytesView line) override {
        ++underWay_;
        answer(Bytes(line));
    }

    void draining() override {
        ending_ = true;
        if (underWay_ == 0) transport().loseConnection();  // idle: nobody waits for us
    }

private:
    void answered(const Bytes& text) {
        sendLine(text);
        if (--underWay_ == 0 && ending_) transport().loseConnection();  // what was written still goes out
    }

    void answer(const Bytes& question);  // calls answered() some time

    int underWay_ = 0;
    bool ending_ = false;
};
// [end]

void Requests::answer(const Bytes& question) { answered(question); }

}  // namespace drain

namespace work {

// [service]
class Jobs : public service::Service {
public:
    /// Nothing new is taken on; fires when the last job is done.
    Deferred<void> drain() override {
        accepting_ = false;
        return running_ == 0 ? defer::succeed() : idle_;
    }

    void submit(Deferred<void> job) {
        if (!accepting_) throw RuntimeError("this server is about to end");
        ++running_;
        auto self = shared_from_this();
        job.addErrback([](const Failure& failure) { log::err(failure, "in a job"); }).addCallback([this, self] {
            if (--running_ == 0 && !accepting_) idle_.callback();
        });
    }

private:
    bool accepting_ = true;
    int running_ = 0;
    Deferred<void> idle_;
};
// [end]

}  // namespace work

namespace own {

using first::application;

// [reactor]
int main() {
    LibeventReactor reactor;
    reactor.warnOfSlowCallbacks(100ms);
    return service::run(reactor, application(reactor));
}
// [end]

}  // namespace own

int programs();

int programs() { return first::main() + own::main() + (std::make_shared<drain::Requests>() ? 0 : 1); }
