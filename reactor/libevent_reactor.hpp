#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <typeinfo>
#include <vector>

#include <torsion/core/defer.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/core/ticks.hpp>
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

    // ReactorUNIX, ReactorSocket
    std::shared_ptr<ListeningPort> listenUNIX(const std::string& path, std::shared_ptr<Factory> factory,
                                              int backlog = kDefaultBacklog, unsigned mode = kDefaultMode,
                                              bool wantPID = false) override;
    std::shared_ptr<Connector> connectUNIX(const std::string& path, std::shared_ptr<ClientFactory> factory,
                                           Duration timeout = kDefaultConnectTimeout, bool checkPID = false) override;
    std::shared_ptr<ListeningPort> adoptStreamPort(int fileDescriptor, Address::Kind addressFamily,
                                                   std::shared_ptr<Factory> factory) override;
    void adoptStreamConnection(int fileDescriptor, Address::Kind addressFamily,
                               std::shared_ptr<Factory> factory) override;

    // ReactorThreads
    void callFromThread(Function<void()> function) override;
    void wakeUp() override;
    void callInThread(Function<void()> function) override;

    Turn& turn() override { return turn_; }
    std::vector<std::shared_ptr<Protocol>> acceptedProtocols() const override;
    HostnameResolver& nameResolver() override { return *resolver_; }
    std::shared_ptr<HostnameResolver> installNameResolver(std::shared_ptr<HostnameResolver> resolver) override;

    /// The reactor whose run() is on this thread's stack, else the newest one made on this thread; null if there is
    /// none. For diagnostics and task::forever, not for finding a reactor to use.
    static LibeventReactor* current() noexcept;

    /// Keeps @p deferred until the reactor dies; task::react cancels it after shutdown.
    void keepForever(Deferred<void> deferred) { forever_.push_back(std::move(deferred)); }
    void cancelForever();

    /// What this reactor has done so far; see ReactorCounters. On its own thread.
    ReactorCounters counters() const { return turn_.counters(); }

    /// Logs a warning, with the name of the protocol's type, whenever one callback has held up the reactor for
    /// @p threshold or longer, as asyncio does in its debug mode. Timed are the callbacks of descriptors, each call
    /// from a thread, and all timers of a turn together. Zero, the default, is off. @throws ValueError if negative
    void warnOfSlowCallbacks(Duration threshold);

    /// The number of the signal that stopped the last run, or 0.
    int exitSignal() const noexcept { return exitSignal_; }

private:
    class Loop;
    class Watch;
    class SystemEvents;

    void iterate();
    void runTimers();
    void countTurn() noexcept;
    template <class Call>
    void timed(const std::type_info& culprit, Call&& call);
    void raiseWakeUp();
    void runThreadCalls();
    void disconnectAll(const Failure& reason);
    void beginShutdown();
    void installSignals();
    void removeSignals();
    void assertThread() const;
    bool onOwnThread() const;

    detail::TickScale scale_;
    std::uint64_t longestTurn_ = 0;   ///< in microseconds
    std::uint64_t slowCallback_ = 0;  ///< in ticks; 0 is none
    TimerHeap timers_;
    Turn turn_;
    std::unique_ptr<Loop> loop_;
    std::unique_ptr<SystemEvents> events_;
    std::vector<Watch*> watches_;
    std::shared_ptr<HostnameResolver> resolver_;
    std::unique_ptr<ThreadPool> pool_;
    std::vector<Deferred<void>> forever_;

    struct Shared;  // with other threads; who includes this need not compile <thread> and <mutex>
    const std::unique_ptr<Shared> shared_;
    std::vector<Function<void()>> spareCalls_;  ///< empty, with room for the next calls from threads
    std::atomic<bool> wakeUpPending_{false};
    std::atomic<bool> asleep_{false};  ///< in its wait, or about to be
    std::atomic<bool> stopRequested_{false};

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
