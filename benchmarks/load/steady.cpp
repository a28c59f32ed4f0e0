/// Connections that stay: each keeps its window full of messages, lines or octets.

#include "cases.hpp"
#include "figures.hpp"
#include "loop.hpp"
#include "schedule.hpp"

#include <algorithm>
#include <deque>

namespace {

constexpr std::size_t kOpeningAtOnce = 128;
constexpr double kMiB = 1024 * 1024;

struct Stay {
    Stay(LoadContext& context, Case& owner, std::size_t number) : connection(context, owner, number) {}

    Connection connection;
    std::deque<Nanoseconds> sent;  // when each message in flight was; only if latencies are asked for
    std::uint64_t returned = 0;    // messages
};

class Steady : public Case {
public:
    explicit Steady(LoadContext& context)
        : context_(context),
          options_(context.options),
          meter_(options_.pid),
          schedule_(options_.warmup, options_.seconds),
          timesMessages_(options_.caseName == "pingpong" || options_.caseName == "pipelined") {}

    std::string run() {
        for (std::size_t i = 0; i < std::min(options_.connections, kOpeningAtOnce); ++i) openNext();
        context_.loop.runUntil([this] { return advance(); });
        context_.loop.runUntil([this] { return drained(); });
        const bool stream = options_.caseName == "stream";
        const auto* unit = stream ? "MiB" : options_.lines() ? "line" : "message";
        const auto octetsOfUnit = stream ? kMiB : static_cast<double>(options_.size);
        return describe(options_, unit, static_cast<double>(octetsAtEnd_ - octetsAtBegin_) / octetsOfUnit,
                        static_cast<double>(context_.echoed) / octetsOfUnit, begin_, end_, latencies_);
    }

    void progressed(Connection& connection) override {
        auto& stay = stays_[connection.number()];
        const auto returned = connection.echoed() / options_.size;
        if (timesMessages_) take(stay, returned - stay.returned);
        const bool first = stay.returned == 0 && returned > 0;
        stay.returned = returned;
        if (first) ++echoing_;
        // Until all have come, those that are there rest: thousands would take long to come in beside busy ones.
        if (schedule_.started() && !draining_) fill(stay);
        if (first && stays_.size() < options_.connections) openNext();
    }

private:
    void openNext() {
        auto& stay = stays_.emplace_back(context_, *this, stays_.size());
        stay.connection.open();
        fill(stay);
    }

    void fill(Stay& stay) {
        // A write at a time: what lines come back of a batch make no new one until there is room for all of it.
        const auto write = std::min<std::uint64_t>(options_.write, options_.window);
        const auto inFlight = stay.connection.sent() - stay.connection.echoed();
        if (inFlight + write > options_.window) return;
        const auto messages = (options_.window - inFlight) / write * (write / options_.size);
        if (timesMessages_) {
            const auto now = monotonicNow();
            stay.sent.insert(stay.sent.end(), static_cast<std::size_t>(messages), now);
        }
        stay.connection.send(static_cast<std::size_t>(messages));
    }

    void take(Stay& stay, std::uint64_t messages) {
        const auto now = monotonicNow();
        for (; messages > 0; --messages) {
            if (measuring_) latencies_.add(now - stay.sent.front());
            stay.sent.pop_front();
        }
    }

    bool advance() {
        const auto now = monotonicNow();
        if (!schedule_.started() && echoing_ == options_.connections) {
            schedule_.start(now);
            for (auto& each : stays_) fill(each);
        }
        if (!measuring_ && schedule_.begun(now)) {
            measuring_ = true;
            schedule_.measureFrom(now);
            begin_ = meter_.now();
            octetsAtBegin_ = context_.echoed;
        } else if (measuring_ && schedule_.over(now)) {
            end_ = meter_.now();
            octetsAtEnd_ = context_.echoed;
            draining_ = true;
        }
        return draining_;
    }

    bool drained() const {
        return std::all_of(stays_.begin(), stays_.end(),
                           [](const Stay& each) { return each.connection.echoed() == each.connection.sent(); });
    }

    LoadContext& context_;
    const LoadOptions& options_;
    Meter meter_;
    Schedule schedule_;
    bool timesMessages_;
    bool measuring_ = false, draining_ = false;
    std::deque<Stay> stays_;
    std::size_t echoing_ = 0;
    Moment begin_, end_;
    std::uint64_t octetsAtBegin_ = 0, octetsAtEnd_ = 0;
    Histogram latencies_;
};

}  // namespace

std::string runSteady(LoadContext& context) { return Steady(context).run(); }
