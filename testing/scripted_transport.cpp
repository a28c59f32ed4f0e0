#include <torsion/testing/scripted_transport.hpp>

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <torsion/core/log.hpp>
#include <torsion/testing/printable.hpp>
#include <torsion/testing/string_transport.hpp>

namespace torsion::testing {

namespace {

struct Step {
    enum class Kind { write, deliver, close, abort, wait, lose, failWrite } kind;
    Bytes octets;
    Duration amount{};
    std::optional<Failure> reason;
};

std::string describe(const Step& step) {
    switch (step.kind) {
        case Step::Kind::write: return "writes \"" + printable(step.octets) + '"';
        case Step::Kind::deliver: return "gets \"" + printable(step.octets) + '"';
        case Step::Kind::close: return "calls loseConnection";
        case Step::Kind::abort: return "calls abortConnection";
        case Step::Kind::wait: return fmt::format("waits {:.3f} s", std::chrono::duration<double>(step.amount).count());
        case Step::Kind::lose: return "is lost: " + step.reason->str();
        case Step::Kind::failWrite: return "writes, and is lost by that: " + step.reason->str();
    }
    return {};
}

}  // namespace

/// The transport that the protocol has.
class ScriptedTransport::Stage final : public StringTransportWithDisconnection {
public:
    explicit Stage(std::shared_ptr<task::Clock> clock)
        : StringTransportWithDisconnection(*clock), heldClock_(std::move(clock)) {}

    void add(Step step) { steps_.push_back(std::move(step)); }

    void begin(const std::shared_ptr<Protocol>& protocol) {
        if (held_) throw RuntimeError("ScriptedTransport::connect: it is connected already");
        held_ = protocol;
        setProtocol(protocol);
        contain([&] { protocol->makeConnection(shared_from_this()); });
        play();
    }

    /// Takes steps until one needs something from the protocol or the clock.
    void play() {
        do {
            heldClock_->advance(Duration::zero());
        } while (takeStep());
    }

    void advance(Duration amount) {
        heldClock_->advance(amount);
        play();
    }

    bool done() const { return !mismatch_ && next_ == steps_.size(); }

    std::string report() const {
        std::string text;
        if (mismatch_) {
            text = *mismatch_;
        } else if (next_ < steps_.size()) {
            text = fmt::format("step {} of {} did not come", next_ + 1, steps_.size());
            if (matched_ != 0) text += fmt::format(" beyond octet {}", matched_);
        }
        for (std::size_t i = 0; i < steps_.size(); ++i) {
            const char* const state = i < next_ ? "done    " : i == next_ ? "expected" : "ahead   ";
            text += fmt::format("\n  {:>3} {} the protocol {}", i + 1, state, describe(steps_[i]));
        }
        const Bytes& all = value();
        const std::size_t shown = std::min<std::size_t>(all.size(), 400);
        text += fmt::format("\n  all that it wrote, {} octets: \"{}{}\"", all.size(), all.size() > shown ? "..." : "",
                            printable(BytesView(all).substr(all.size() - shown)));
        return text;
    }

    void end() {
        if (connected() && held_) finishNow();
        held_.reset();
    }

    void loseConnection() override {
        if (connected() && !disconnecting()) meet(Step::Kind::close, "loseConnection");
        StringTransportWithDisconnection::loseConnection();
    }
    void abortConnection() override {
        if (connected() && !aborted()) meet(Step::Kind::abort, "abortConnection");
        StringTransportWithDisconnection::abortConnection();
    }

    const std::shared_ptr<task::Clock>& heldClock() const noexcept { return heldClock_; }

private:
    void writeView(BytesView data) override {
        if (!connected() || writeClosed() || data.empty()) return;
        StringTransportWithDisconnection::writeView(data);
        while (!data.empty() && !mismatch_ && !over_) {
            if (next_ == steps_.size()) return differ("a write of \"" + printable(data) + '"');
            Step& step = steps_[next_];
            if (step.kind == Step::Kind::failWrite) {
                over_ = true;
                ++next_;
                lose(*step.reason);
                return;
            }
            if (step.kind != Step::Kind::write) return differ("a write of \"" + printable(data) + "\" instead");
            const BytesView wanted = BytesView(step.octets).substr(matched_);
            const std::size_t common = std::min(wanted.size(), data.size());
            const auto place =
                std::mismatch(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(common), data.begin());
            const auto same = static_cast<std::size_t>(place.first - wanted.begin());
            if (same != common) {
                return differ(fmt::format("at octet {} of the write there came \"{}\" instead of \"{}\"",
                                          matched_ + same, printable(data.substr(same)),
                                          printable(wanted.substr(same))));
            }
            data.remove_prefix(common);
            matched_ += common;
            if (matched_ == step.octets.size()) advanceStep();
        }
    }

    void meet(Step::Kind kind, const char* call) {
        if (mismatch_ || over_) return;
        if (next_ < steps_.size() && steps_[next_].kind == kind) return advanceStep();
        differ(std::string(call) + (next_ == steps_.size() ? "" : " instead"));
    }

    void differ(const std::string& came) {
        mismatch_ = next_ == steps_.size() ? fmt::format("after the last of {} steps: {}", steps_.size(), came)
                                           : fmt::format("at step {} of {}: {}", next_ + 1, steps_.size(), came);
    }

    void advanceStep() {
        ++next_;
        matched_ = 0;
    }

    bool takeStep() {
        if (mismatch_ || next_ == steps_.size() || !held_) return false;
        const Step step = steps_[next_];
        switch (step.kind) {
            case Step::Kind::deliver:
                if (!connected() || disconnecting() || producerState() != ProducerState::producing) return false;
                advanceStep();
                heldClock_->passTurn([&] {
                    contain([&] {
                        const std::vector<char> copy(step.octets.begin(), step.octets.end());
                        held_->dataReceived(BytesView(copy.data(), copy.size()));
                    });
                });
                return true;
            case Step::Kind::wait:
                if (!until_) until_ = heldClock_->seconds() + step.amount;
                if (heldClock_->seconds() < *until_) return false;
                until_.reset();
                advanceStep();
                return true;
            case Step::Kind::lose:
                advanceStep();
                over_ = true;
                lose(*step.reason);
                return true;
            case Step::Kind::write:
            case Step::Kind::close:
            case Step::Kind::abort:
            case Step::Kind::failWrite: return false;
        }
        return false;
    }

    /// What leaves a callback ends the connection, as with a socket (TR-13).
    template <class F>
    void contain(F&& callback) {
        try {
            callback();
        } catch (...) {
            const Failure failure = Failure::current();
            log::err(failure, "in a callback of a scripted connection");
            if (!mismatch_) differ("the protocol threw " + failure.str());
            lose(failure);
        }
    }

    void finishNow() {
        setDisconnected();
        held_->deliverConnectionLost(failureOf<ConnectionLost>());
    }

    std::shared_ptr<task::Clock> heldClock_;
    std::shared_ptr<Protocol> held_;
    std::vector<Step> steps_;
    std::size_t next_ = 0;
    std::size_t matched_ = 0;  ///< octets of the present write
    std::optional<Duration> until_;
    std::optional<std::string> mismatch_;
    bool over_ = false;  ///< the script has ended the connection
};

ScriptedTransport::ScriptedTransport() : ScriptedTransport(std::make_shared<task::Clock>()) {}

ScriptedTransport::ScriptedTransport(std::shared_ptr<task::Clock> clock)
    : stage_(std::make_shared<Stage>(std::move(clock))) {}

ScriptedTransport::~ScriptedTransport() { stage_->end(); }

ScriptedTransport& ScriptedTransport::expectWrite(Bytes octets) {
    if (octets.empty()) throw ValueError("ScriptedTransport::expectWrite: a write has at least one octet");
    stage_->add({Step::Kind::write, std::move(octets), {}, {}});
    return *this;
}

ScriptedTransport& ScriptedTransport::deliver(Bytes octets) {
    if (octets.empty()) throw ValueError("ScriptedTransport::deliver: a delivery has at least one octet");
    stage_->add({Step::Kind::deliver, std::move(octets), {}, {}});
    return *this;
}

ScriptedTransport& ScriptedTransport::expectClose() {
    stage_->add({Step::Kind::close, {}, {}, {}});
    return *this;
}

ScriptedTransport& ScriptedTransport::expectAbort() {
    stage_->add({Step::Kind::abort, {}, {}, {}});
    return *this;
}

ScriptedTransport& ScriptedTransport::wait(Duration amount) {
    if (amount <= Duration::zero()) throw ValueError("ScriptedTransport::wait: the time is positive");
    stage_->add({Step::Kind::wait, {}, amount, {}});
    return *this;
}

ScriptedTransport& ScriptedTransport::thenLose(const Failure& reason) {
    stage_->add({Step::Kind::lose, {}, {}, reason});
    return *this;
}

ScriptedTransport& ScriptedTransport::failWrite(const Failure& reason) {
    stage_->add({Step::Kind::failWrite, {}, {}, reason});
    return *this;
}

void ScriptedTransport::connect(const std::shared_ptr<Protocol>& protocol) {
    if (!protocol) throw ValueError("ScriptedTransport::connect: there is no protocol");
    stage_->begin(protocol);
}

void ScriptedTransport::play() { stage_->play(); }
void ScriptedTransport::advance(Duration amount) { stage_->advance(amount); }
bool ScriptedTransport::done() const { return stage_->done(); }

void ScriptedTransport::verify() const {
    if (!stage_->done()) throw ScriptMismatch(stage_->report());
}

const Bytes& ScriptedTransport::value() const { return stage_->value(); }
task::Clock& ScriptedTransport::clock() const noexcept { return *stage_->heldClock(); }

}  // namespace torsion::testing
