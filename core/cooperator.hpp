#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor_time.hpp>

/// Long work in small steps, between which the reactor does its own (twisted.internet.task).
namespace torsion::task {

/// The errors of cooperative tasks.
TORSION_ERROR(SchedulerError, torsion::detail::ExactError, "The task cannot do that");
TORSION_ERROR(TaskFinished, SchedulerError, "The task has ended");
TORSION_ERROR(TaskDone, TaskFinished, "The task has done all its work");
TORSION_ERROR(TaskStopped, TaskFinished, "The task was stopped");
TORSION_ERROR(TaskFailed, TaskFinished, "The task failed");
TORSION_ERROR(SchedulerStopped, SchedulerError, "The Cooperator was stopped");
TORSION_ERROR(NotPaused, SchedulerError, "The task is not paused");

/// What one step of a task came to; in Python, what the iterator yields.
class Step {
public:
    static Step more() { return Step(false, std::nullopt); }  ///< there is more to do
    static Step done() { return Step(true, std::nullopt); }   ///< that was all
    /// There is more to do when @p deferred has fired; if it fails, so does the task.
    static Step after(Deferred<void> deferred) { return Step(false, std::move(deferred)); }

private:
    friend class CooperativeTask;
    Step(bool last, std::optional<Deferred<void>> wait) : last_(last), wait_(std::move(wait)) {}
    bool last_;
    std::optional<Deferred<void>> wait_;
};

class Cooperator;

namespace detail {
class Scheduler;
}

/// A task of a Cooperator, and a handle to it: the Cooperator keeps the task while there is work to do.
class CooperativeTask : public std::enable_shared_from_this<CooperativeTask> {
public:
    using Work = Function<Step()>;

    /// Does no more until resume() was called as many times. @throws TaskDone, TaskStopped or TaskFailed if it has
    /// ended
    void pause();
    /// @throws NotPaused
    void resume();
    /// Ends it early: whenDone() fails with TaskStopped. @throws as pause()
    void stop();

    /// Fires when the work is done; fails with what a step threw, TaskStopped, or SchedulerStopped. Every call makes a
    /// new one.
    Deferred<void> whenDone();

    CooperativeTask(const CooperativeTask&) = delete;
    CooperativeTask& operator=(const CooperativeTask&) = delete;
    ~CooperativeTask();

private:
    friend class Cooperator;
    friend class detail::Scheduler;

    CooperativeTask(std::weak_ptr<detail::Scheduler> scheduler, Work work);
    void join();
    void checkFinish() const;
    void finish(const Failure& state, std::optional<Failure> result);
    void step();

    std::weak_ptr<detail::Scheduler> scheduler_;
    Work work_;
    std::vector<Deferred<void>> waiting_;  ///< of whenDone()
    unsigned pauses_ = 0;
    std::optional<Failure> state_;   ///< how it ended: what further operations throw
    std::optional<Failure> result_;  ///< none if all was done
};

/// Divides the time between its tasks: one step of each in turn, for about 10 ms a turn of the reactor (Cooperator). Of
/// the clock's thread. When it goes, tasks that have not ended are dropped, and their Deferreds do not fire.
class Cooperator {
public:
    /// Asked at the beginning of each turn for a function that says when this turn's time is up.
    using TerminationPredicateFactory = Function<Function<bool()>()>;

    static constexpr Duration kSlice = std::chrono::milliseconds(10);

    /// @param started whether tasks begin as soon as they are added, and not only at start()
    explicit Cooperator(ReactorTime& clock, bool started = true);
    Cooperator(ReactorTime& clock, TerminationPredicateFactory factory, bool started = true);
    Cooperator(const Cooperator&) = delete;
    Cooperator& operator=(const Cooperator&) = delete;
    ~Cooperator();

    /// Calls @p work again and again, each time for a small step, until that says it was the last.
    std::shared_ptr<CooperativeTask> cooperate(CooperativeTask::Work work);

    /// The same for those who only want to know when it is done.
    Deferred<void> coiterate(CooperativeTask::Work work);

    void start();
    /// Ends all tasks with SchedulerStopped, and those that are added later, until start().
    void stop();
    bool running() const noexcept;

private:
    std::shared_ptr<detail::Scheduler> scheduler_;
};

}  // namespace torsion::task
