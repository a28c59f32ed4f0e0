#include <torsion/core/cooperator.hpp>

#include <algorithm>
#include <chrono>
#include <deque>

#include <torsion/core/error.hpp>

namespace torsion::task {

namespace detail {

/// Whose turn it is. Tasks that have nothing to do, being paused, are not in it.
class Scheduler : public std::enable_shared_from_this<Scheduler> {
public:
    Scheduler(ReactorTime& c, Cooperator::TerminationPredicateFactory f, bool begun)
        : clock(c), factory(std::move(f)), started(begun) {}
    ~Scheduler() {
        if (next.active()) next.cancel();
    }

    void add(std::shared_ptr<CooperativeTask> task) {
        if (stopped) {
            task->finish(failureOf<SchedulerStopped>(), failureOf<SchedulerStopped>());
            return;
        }
        tasks.push_back(std::move(task));
        schedule();
    }

    void remove(const CooperativeTask& task) {
        std::erase_if(tasks, [&](const auto& other) { return other.get() == &task; });
        if (tasks.empty() && next.active()) next.cancel();
    }

    void schedule() {
        if (!started || stopped || tasks.empty() || next.active() || ticking) return;
        next = clock.callLater(Duration::zero(), [weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->tick();
        });
    }

    void tick() {
        ticking = true;
        Function<bool()> timeIsUp = factory();
        while (!tasks.empty()) {
            const std::shared_ptr<CooperativeTask> task = tasks.front();
            std::rotate(tasks.begin(), tasks.begin() + 1, tasks.end());
            task->step();
            if (timeIsUp()) break;
        }
        ticking = false;
        schedule();
    }

    void stop() {
        stopped = true;
        if (next.active()) next.cancel();
        for (const auto& task : std::exchange(tasks, {})) {
            task->finish(failureOf<SchedulerStopped>(), failureOf<SchedulerStopped>());
        }
    }

    ReactorTime& clock;
    Cooperator::TerminationPredicateFactory factory;
    std::deque<std::shared_ptr<CooperativeTask>> tasks;
    DelayedCall next;
    bool started;
    bool stopped = false;
    bool ticking = false;
};

}  // namespace detail

CooperativeTask::CooperativeTask(std::weak_ptr<detail::Scheduler> scheduler, Work work)
    : scheduler_(std::move(scheduler)), work_(std::move(work)) {}

CooperativeTask::~CooperativeTask() = default;

void CooperativeTask::join() {
    if (const auto scheduler = scheduler_.lock()) scheduler->add(shared_from_this());
}

void CooperativeTask::checkFinish() const {
    if (state_) state_->raise();
}

void CooperativeTask::pause() {
    checkFinish();
    if (++pauses_ > 1) return;
    const auto self = shared_from_this();
    if (const auto scheduler = scheduler_.lock()) scheduler->remove(*this);
}

void CooperativeTask::resume() {
    if (pauses_ == 0) throw NotPaused();
    if (--pauses_ == 0 && !state_) join();
}

void CooperativeTask::stop() {
    checkFinish();
    finish(failureOf<TaskStopped>(), failureOf<TaskStopped>());
}

Deferred<void> CooperativeTask::whenDone() {
    if (state_) return result_ ? defer::fail(*result_) : defer::succeed();
    return waiting_.emplace_back();
}

void CooperativeTask::finish(const Failure& state, std::optional<Failure> result) {
    if (state_) return;
    const auto self = shared_from_this();
    state_ = state;
    result_ = std::move(result);
    if (const auto scheduler = scheduler_.lock()) scheduler->remove(*this);
    // Last, for who hears of it may do anything to this and other tasks.
    for (const Deferred<void>& waiting : std::exchange(waiting_, {})) {
        if (waiting.called()) continue;
        if (result_) {
            waiting.errback(*result_);
        } else {
            waiting.callback();
        }
    }
}

void CooperativeTask::step() {
    std::optional<Step> step;
    try {
        step.emplace(work_());
    } catch (...) {
        finish(failureOf<TaskFailed>(), Failure::current());
        return;
    }
    if (state_) return;  // it has stopped itself
    if (step->last_) {
        finish(failureOf<TaskDone>(), std::nullopt);
    } else if (step->wait_) {
        pause();
        const auto self = shared_from_this();
        step->wait_->addCallbacks([self] { self->resume(); },
                                  [self](const Failure& failure) { self->finish(failureOf<TaskFailed>(), failure); });
    }
}

namespace {

/// Real time, also where the clock is a test's: it is the machine that is being shared.
Function<bool()> sliceOfTime() {
    const auto end = std::chrono::steady_clock::now() + Cooperator::kSlice;
    return [end] { return std::chrono::steady_clock::now() >= end; };
}

}  // namespace

Cooperator::Cooperator(ReactorTime& clock, bool started) : Cooperator(clock, sliceOfTime, started) {}

Cooperator::Cooperator(ReactorTime& clock, TerminationPredicateFactory factory, bool started)
    : scheduler_(std::make_shared<detail::Scheduler>(clock, std::move(factory), started)) {}

Cooperator::~Cooperator() = default;

std::shared_ptr<CooperativeTask> Cooperator::cooperate(CooperativeTask::Work work) {
    std::shared_ptr<CooperativeTask> task(new CooperativeTask(scheduler_, std::move(work)));
    task->join();
    return task;
}

Deferred<void> Cooperator::coiterate(CooperativeTask::Work work) { return cooperate(std::move(work))->whenDone(); }

void Cooperator::start() {
    scheduler_->stopped = false;
    scheduler_->started = true;
    scheduler_->schedule();
}

void Cooperator::stop() {
    const auto keep = scheduler_;
    keep->stop();
}

bool Cooperator::running() const noexcept { return scheduler_->started && !scheduler_->stopped; }

}  // namespace torsion::task
