/// Connections that have had one message echoed and then rest: what memory they cost the server.

#include "cases.hpp"
#include "figures.hpp"
#include "loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace {

// So many come before the first reading: what the server makes once is not on the bill of the others.
constexpr std::size_t kFirst = 16;
constexpr std::size_t kOpeningAtOnce = 128;
constexpr double kSettleSeconds = 0.3;

class Idle : public Case {
public:
    explicit Idle(LoadContext& context) : context_(context) {}

    std::string run() {
        const auto& options = context_.options;
        const auto begin = monotonicNow();
        const auto first = std::min(kFirst, options.connections / 2);
        reach(first);
        const auto before = privateMemory(options.pid);
        reach(options.connections);
        const auto after = privateMemory(options.pid);
        const auto each = (static_cast<double>(after) - static_cast<double>(before)) /
                          static_cast<double>(options.connections - first);
        return describe(options) +
               fmt::format(R"("unit": "bytes", "units": {:.1f}, "seconds": {:.6f}, )", each,
                           static_cast<double>(monotonicNow() - begin) / 1e9) +
               fmt::format(R"("rss_before": {}, "rss_after": {}, "bytes_per_connection": {:.1f}}})", before, after,
                           each);
    }

    void progressed(Connection& connection) override {
        if (connection.echoed() != connection.sent()) return;
        ++resting_;
        if (connections_.size() < wanted_) openNext();
    }

private:
    void reach(std::size_t count) {
        wanted_ = count;
        while (connections_.size() < std::min(count, resting_ + kOpeningAtOnce)) openNext();
        context_.loop.runUntil([this] { return resting_ == wanted_; });
        context_.loop.runFor(kSettleSeconds);
    }

    void openNext() {
        auto& connection = connections_.emplace_back(context_, *this, connections_.size());
        connection.open();
        connection.send(1);
    }

    LoadContext& context_;
    std::size_t wanted_ = 0, resting_ = 0;
    std::deque<Connection> connections_;
};

}  // namespace

std::string runIdle(LoadContext& context) { return Idle(context).run(); }
