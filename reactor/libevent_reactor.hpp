#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/core/timer_heap.hpp>

namespace torsion {

class ThreadPool;

/// The reactor: libevent's readiness and signals under Twisted's rules. An ordinary object; make as many as there are
/// threads to run them on. One of a process has the signals: the one whose run() was called first with
/// installSignalHandlers.
class LibeventReactor final : public Reactor {
public:
    LibeventReactor();
    ~LibeventReactor() override;

    // ReactorTime
    Duration seconds() const override;
    DelayedCall callLater(Duration delay, Function<void()> function) override;
    std::vector<DelayedCall> getDelayedCalls() const override;

    // ReactorCore
    void run(bool installSignalHandlers = true) override;
    void stop() override;
    void crash() override;
    bool running() const override { return running_; }
    void callWhenRunning(Function<void()> function) override;
    TriggerID addSystemEventTrigger(SystemEventPhase phase, const std::string& event, Trigger trigger) override;
    void removeSystemEventTrigger(TriggerID trigger) override;
    void fireSystemEvent(const std::string& event) override;

    // ReactorFDSet
    std::unique_ptr<DescriptorWatch> watch(int descriptor, DescriptorListener& listener) override;

    // ReactorTCP, ReactorSSL
    std::shared_ptr<ListeningPort> listenTCP(int port, std::shared_ptr<Factory> factory, int backlog = kDefaultBacklog,
                                             const std::string& interface = "") override;
    std::shared_ptr<Connector> connectTCP(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          Duration timeout = kDefaultConnectTimeout,
                                          const Address& bindAddress = Address()) override;
    std::shared_ptr<ListeningPort> listenSSL(int port, std::shared_ptr<Factory> factory,
                                             const ssl::ContextFactory& options, int backlog = kDefaultBacklog,
                                             const std::string& interface = "") override;
    std::shared_ptr<Connector> connectSSL(const std::string& host, int port, std::shared_ptr<ClientFactory> factory,
                                          const ssl::ContextFactory& options, Duration timeout = kDefaultConnectTimeout,
                                          const Address& bindAddress = Address()) override;

    // ReactorThreads
    void callFromThread(Function<void()> function) override;
    void wakeUp() override;
    void callInThread(Function<void()> function) override;

    Turn& turn() override { return turn_; }
    HostnameResolver& nameResolver() override { return *resolver_; }
    std::shared_ptr<HostnameResolver> installNameResolver(std::shared_ptr<HostnameResolver> resolver) override;

    /// The reactor whose run() is on this thread's stack, else the newest one made on this thread; null if there is
    /// none. For diagnostics and task::forever, not for finding a reactor to use.
    static LibeventReactor* current() noexcept;

    /// Keeps @p deferred until the reactor dies; task::react cancels it after shutdown.
    void keepForever(Deferred<void> deferred) { forever_.push_back(std::move(deferred)); }
    void cancelForever();

    /// The number of the signal that stopped the last run, or 0.
    int exitSignal() const noexcept { return exitSignal_; }

private:
    class Loop;
    class Watch;
    class SystemEvents;

    void iterate();
    void runThreadCalls();
    void disconnectAll(const Failure& reason);
    void beginShutdown();
    void installSignals();
    void removeSignals();
    void assertThread() const;
    bool onOwnThread() const;

    TimerHeap timers_;
    Turn turn_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<SystemEvents> events_;
    std::vector<Watch*> watches_;
    std::shared_ptr<HostnameResolver> resolver_;
    std::unique_ptr<ThreadPool> pool_;
    std::vector<Deferred<void>> forever_;

    std::mutex threadCallsMutex_;
    std::vector<Function<void()>> threadCalls_;
    std::atomic<bool> wakeUpPending_{false};
    std::atomic<bool> stopRequested_{false};

    std::atomic<std::thread::id> owner_{};
    std::atomic<bool> inRun_{false};
    std::atomic<unsigned> runs_{0};  ///< tells what was asked of a run that is over by now
    bool running_ = false;           ///< from the second phase of the startup event on
    bool stopping_ = false;
    bool leaveLoop_ = false;
    bool dying_ = false;
    int exitSignal_ = 0;
    LibeventReactor* previous_ = nullptr;  ///< made on this thread before us
};

}  // namespace torsion
