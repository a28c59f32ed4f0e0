/// Connections that come, have one message echoed, and go.

#include "cases.hpp"
#include "failure.hpp"
#include "figures.hpp"
#include "loop.hpp"
#include "schedule.hpp"

#include <deque>

namespace {

class Churn : public Case {
public:
    explicit Churn(LoadContext& context)
        : context_(context),
          options_(context.options),
          meter_(options_.pid),
          schedule_(options_.warmup, options_.seconds) {}

    std::string run() {
        if (options_.caseName == "resume") getTicket();
        schedule_.start(monotonicNow());
        for (std::size_t i = 1; i <= options_.connections; ++i) open(connections_.emplace_back(context_, *this, i));
        context_.loop.runUntil([this] { return advance(); });
        context_.loop.runUntil([this] { return open_ == 0; });
        return describe(options_, "connection", static_cast<double>(counted_), static_cast<double>(all_), begin_, end_,
                        latencies_);
    }

    void progressed(Connection& connection) override {
        if (connection.echoed() != connection.sent()) return;
        if (measuring_ && !over_) latencies_.add(monotonicNow() - connection.opened());
        connection.finish();
    }

    void ended(Connection& connection) override {
        --open_;
        ++all_;
        if (over_ || single_) return;
        if (measuring_) ++counted_;
        open(connection);
    }

private:
    void open(Connection& connection) {
        ++open_;
        connection.open();
        connection.send(1);
    }

    /// One whole handshake, in which the server gives the ticket that all others use.
    void getTicket() {
        single_ = true;
        context_.tls.collectTicket();
        Connection first(context_, *this, 0);
        open(first);
        context_.loop.runUntil([&] { return open_ == 0; });
        if (!context_.tls.hasTicket()) fail("the server gave no session ticket to resume with");
        context_.tls.resumeFromNowOn();
        single_ = false;
    }

    bool advance() {
        const auto now = monotonicNow();
        if (!measuring_ && schedule_.begun(now)) {
            measuring_ = true;
            schedule_.measureFrom(now);
            begin_ = meter_.now();
        } else if (measuring_ && schedule_.over(now)) {
            end_ = meter_.now();
            over_ = true;
        }
        return over_;
    }

    LoadContext& context_;
    const LoadOptions& options_;
    Meter meter_;
    Schedule schedule_;
    bool single_ = false, measuring_ = false, over_ = false;
    std::deque<Connection> connections_;
    std::size_t open_ = 0;
    std::uint64_t counted_ = 0, all_ = 0;
    Moment begin_, end_;
    Histogram latencies_;
};

}  // namespace

std::string runChurn(LoadContext& context) { return Churn(context).run(); }
