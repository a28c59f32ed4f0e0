#include <torsion/reactor/libevent_reactor.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include <torsion/core/log.hpp>
#include <torsion/core/type_name.hpp>
#include <torsion/reactor/event_loop.hpp>
#include <torsion/reactor/name_resolver.hpp>
#include <torsion/reactor/system_events.hpp>
#include <torsion/reactor/thread_pool.hpp>
#include <torsion/tls/tls_memory_bio_factory.hpp>
#include <torsion/transports/tcp_connector.hpp>
#include <torsion/transports/tcp_port.hpp>

namespace torsion {

namespace {

thread_local LibeventReactor* currentReactor = nullptr;

/// Two event bases that both watch signals lose them: the first one to ask has them.
std::atomic<LibeventReactor*> signalOwner{nullptr};

/// Room for so many calls from threads is kept from one pass to the next.
constexpr std::size_t kKeptThreadCalls = 8192;

}  // namespace

struct LibeventReactor::Shared {
    std::mutex mutex;
    std::vector<Function<void()>> calls;  ///< of callFromThread, guarded by the mutex
    std::atomic<std::thread::id> owner{};
};

class LibeventReactor::Loop : public detail::EventLoop {};

class LibeventReactor::SystemEvents : public detail::SystemEvents {};

/// The interest in one descriptor. Knows its place in the reactor's list, which ends with the reactor.
class LibeventReactor::Watch final : public DescriptorWatch {
public:
    Watch(LibeventReactor& reactor, int descriptor, DescriptorListener& listener)
        : reactor_(&reactor),
          list_(&reactor.watches_),
          listener_(listener),
          descriptor_(descriptor),
          place_(list_->size()) {
        assignRead();
        list_->push_back(this);
    }
    ~Watch() override { detach(); }

    void setReading(bool wanted) override {
        if (wanted == reading_ || reactor_ == nullptr) return;
        reading_ = wanted;
        if (wanted) {
            event_add(&read_, nullptr);
        } else {
            event_del(&read_);
        }
    }

    void setWriting(bool wanted) override {
        if (wanted == writing_ || reactor_ == nullptr) return;
        writing_ = wanted;
        if (!write_) {  // most connections never have to wait for room
            write_ = std::make_unique<event>();
            assignWrite();
        }
        if (wanted) {
            event_add(write_.get(), nullptr);
        } else {
            event_del(write_.get());
        }
    }

    void detach() noexcept {
        if (reactor_ == nullptr) return;
        if (reading_) event_del(&read_);
        if (writing_) event_del(write_.get());
        std::vector<Watch*>& all = *list_;
        all[place_] = all.back();
        all[place_]->place_ = place_;
        all.pop_back();
        reactor_ = nullptr;
    }

    DescriptorListener& listener() const noexcept { return listener_; }

    /// Timing has begun or ended.
    void careAnew() noexcept {
        const bool reading = std::exchange(reading_, false);
        const bool writing = std::exchange(writing_, false);
        if (reading) event_del(&read_);
        assignRead();
        setReading(reading);
        if (!write_) return;
        if (writing) event_del(write_.get());
        assignWrite();
        setWriting(writing);
    }

    /// It has been moved, with all others, to another list.
    void setList(std::vector<Watch*>& list) noexcept { list_ = &list; }

private:
    /// What stands between libevent and the listener. One that is called for each message has as little as possible.
    enum class Care { nothing, mark, time };

    Care care() const noexcept {
        if (reactor_->slowCallback_ != 0) return Care::time;
        return listener_.marksTurns() ? Care::nothing : Care::mark;
    }

    template <Care care, class Call>
    static void deliver(void* watch, Call call) {
        DescriptorListener& listener = static_cast<Watch*>(watch)->listener_;
        if constexpr (care == Care::nothing) {
            fenced(listener, call);
        } else {
            LibeventReactor& reactor = *static_cast<Watch*>(watch)->reactor_;
            reactor.turn_.mark();
            if constexpr (care == Care::mark) {
                fenced(listener, call);
            } else {
                reactor.timed(listener.servedType(), [&] { fenced(listener, call); });
            }
        }
    }
    template <class Call>
    static void fenced(DescriptorListener& listener, Call call) {
        try {
            call(listener);
        } catch (...) {
            const Failure failure = Failure::current();
            log::err(failure, "in a descriptor's listener");
            listener.reactorGone(failure);
        }
    }
    template <Care care>
    static void onReadable(evutil_socket_t, short, void* self) {
        deliver<care>(self, [](DescriptorListener& listener) { listener.readable(); });
    }
    template <Care care>
    static void onWritable(evutil_socket_t, short, void* self) {
        deliver<care>(self, [](DescriptorListener& listener) { listener.writable(); });
    }
    void assignRead() noexcept {
        static constexpr std::array kCallbacks{&onReadable<Care::nothing>, &onReadable<Care::mark>,
                                               &onReadable<Care::time>};
        event_assign(&read_, reactor_->loop_->base(), descriptor_, EV_READ | EV_PERSIST,
                     kCallbacks[static_cast<std::size_t>(care())], this);
    }
    void assignWrite() noexcept {
        static constexpr std::array kCallbacks{&onWritable<Care::nothing>, &onWritable<Care::mark>,
                                               &onWritable<Care::time>};
        event_assign(write_.get(), reactor_->loop_->base(), descriptor_, EV_WRITE | EV_PERSIST,
                     kCallbacks[static_cast<std::size_t>(care())], this);
    }

    LibeventReactor* reactor_;
    std::vector<Watch*>* list_;
    DescriptorListener& listener_;
    int descriptor_;
    bool reading_ = false;
    bool writing_ = false;
    std::size_t place_;
    event read_;
    std::unique_ptr<event> write_;
};

LibeventReactor::LibeventReactor()
    : scale_(detail::TickScale::measured()),
      timers_([] { return detail::EventLoop::now(); }),
      turn_(*this),
      loop_(std::make_unique<Loop>()),
      events_(std::make_unique<SystemEvents>()),
      resolver_(std::make_shared<GAIResolver>(*this)),
      pool_(std::make_unique<ThreadPool>()),
      shared_(std::make_unique<Shared>()),
      previous_(currentReactor) {
    currentReactor = this;
}

LibeventReactor::~LibeventReactor() {
    pool_->stop();
    disconnectAll(failureOf<ConnectionLost>());
    dying_ = true;  // whoever begins something new now would keep us for ever
    cancelForever();
    // What is destroyed may schedule, post or defer more: in rounds, until nothing is left.
    for (;;) {
        std::vector<Function<void()>> calls;
        {
            const std::lock_guard lock(shared_->mutex);
            calls.swap(shared_->calls);
        }
        const bool more = !calls.empty() || timers_.next().has_value() || turn_.busy() || !watches_.empty();
        if (!more) break;
        calls.clear();
        disconnectAll(failureOf<ConnectionLost>());  // first, for an attempt is held by its timer
        timers_.clear();
        turn_.clear();
    }
    events_.reset();
    for (LibeventReactor** link = &currentReactor; *link != nullptr; link = &(*link)->previous_) {
        if (*link != this) continue;
        *link = previous_;
        break;
    }
}

LibeventReactor* LibeventReactor::current() noexcept { return currentReactor; }

void LibeventReactor::assertThread() const {
    assert(onOwnThread() && "a Reactor was used from a thread that is not its own");
}

bool LibeventReactor::onOwnThread() const {
    return !inRun_.load(std::memory_order_relaxed) ||
           shared_->owner.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Duration LibeventReactor::seconds() const { return detail::EventLoop::now(); }

DelayedCall LibeventReactor::callLater(Duration delay, Function<void()> function) {
    assertThread();
    if (delay < Duration::zero()) throw ValueError("callLater needs a delay of zero or more");
    if (!function) throw ValueError("callLater needs a function to call");
    return timers_.add(saturatedSum(seconds(), delay), std::move(function));
}

std::vector<DelayedCall> LibeventReactor::getDelayedCalls() const {
    assertThread();
    return timers_.pending();
}

void LibeventReactor::run(bool installSignalHandlers) {
    if (inRun_) throw ReactorAlreadyRunning();
    shared_->owner = std::this_thread::get_id();
    inRun_ = true;
    ++runs_;
    leaveLoop_ = false;
    turn_.takeBeginning();
    stopRequested_ = false;
    stopping_ = false;
    exitSignal_ = 0;
    LibeventReactor* const before = std::exchange(currentReactor, this);
    events_->fire("startup", [this, installSignalHandlers] {
        if (installSignalHandlers) installSignals();
        pool_->start();
        running_ = true;
    });
    while (!leaveLoop_) iterate();
    turn_.end();
    removeSignals();
    running_ = false;
    inRun_ = false;
    currentReactor = before;
}

void LibeventReactor::iterate() {
    turn_.mark();  // no descriptor was ready
    runThreadCalls();
    turn_.begin();
    if (!timers_.empty()) runTimers();
    if (stopRequested_ && !stopping_) beginShutdown();
    turn_.end();
    countTurn();
    if (leaveLoop_) return;
    asleep_ = true;  // first: who posts after we have looked at the flag must see it
    const bool busy = turn_.busy() || (stopRequested_ && !stopping_) || wakeUpPending_;
    loop_->wait(timers_.next(), busy);  // the next turn begins in there
    asleep_.store(false, std::memory_order_relaxed);
    turn_.end();
}

void LibeventReactor::runTimers() {
    const auto run = [this] { turn_.counters().timersRun += timers_.runDue(seconds()); };
    if (slowCallback_ != 0) {
        timed(typeid(TimerHeap), run);
    } else {
        run();
    }
}

/// A turn lasts from the first callback of a descriptor to the next wait.
void LibeventReactor::countTurn() noexcept {
    ReactorCounters& counters = turn_.counters();
    const std::uint64_t took = scale_.microseconds(detail::ticksSince(turn_.takeBeginning()));
    const auto place = static_cast<std::size_t>(std::bit_width(took));
    ++counters.turns;
    ++counters.turnDurations[std::min(place, ReactorCounters::kTurnDurations - 1)];
    if (took > longestTurn_) {
        longestTurn_ = took;
        counters.longestTurn = std::chrono::microseconds(took);
    }
}

/// Makes a call that is to be named if it is slow.
template <class Call>
void LibeventReactor::timed(const std::type_info& culprit, Call&& call) {
    const std::uint64_t begin = detail::ticks();
    call();
    const std::uint64_t took = detail::ticksSince(begin);
    if (slowCallback_ == 0 || took < slowCallback_) return;  // the call may have ended the timing
    std::string name = typeName(culprit);
    if (culprit == typeid(TimerHeap)) name = "the timers that were due";
    if (culprit == typeid(ReactorThreads)) name = "a call from a thread";
    log::warn("slow callback: " + name + " held up the reactor for " +
              std::to_string(scale_.microseconds(took) / 1000) + " ms");
}

void LibeventReactor::warnOfSlowCallbacks(Duration threshold) {
    assertThread();
    if (threshold < Duration::zero()) throw ValueError("the threshold of a slow callback is zero (off) or more");
    slowCallback_ = threshold == Duration::zero() ? 0 : std::max<std::uint64_t>(scale_.ticksIn(threshold), 1);
    for (Watch* watch : watches_) watch->careAnew();
}

void LibeventReactor::stop() {
    if (!inRun_) throw ReactorNotRunning();
    if (!onOwnThread()) {
        callFromThread([this, meant = runs_.load()] {  // for this run, not for the next
            if (meant == runs_ && !stopRequested_) stop();
        });
        return;
    }
    if (stopRequested_) throw ReactorNotRunning();
    stopRequested_ = true;
}

void LibeventReactor::crash() {
    assertThread();
    leaveLoop_ = true;
    running_ = false;
}

void LibeventReactor::beginShutdown() {
    stopping_ = true;
    // What is waited for may end inside some protocol's callback, which must not be told of its loss before it returns.
    const auto soon = [this](Function<void()> rest) { turn_.later(std::move(rest)); };
    events_->fire(
        "shutdown",
        [this] {
            crash();
            pool_->stop();
            disconnectAll(failureOf<ConnectionLost>());
        },
        soon);
}

void LibeventReactor::callWhenRunning(Function<void()> function) {
    assertThread();
    if (running_) {
        function();
        return;
    }
    addSystemEventTrigger(SystemEventPhase::after, "startup", [f = std::move(function)]() mutable -> Deferred<void> {
        f();
        return defer::succeed();
    });
}

ReactorCore::TriggerID LibeventReactor::addSystemEventTrigger(SystemEventPhase phase, const std::string& event,
                                                              Trigger trigger) {
    assertThread();
    return events_->add(phase, event, std::move(trigger));
}

void LibeventReactor::removeSystemEventTrigger(TriggerID trigger) {
    assertThread();
    events_->remove(trigger);
}

void LibeventReactor::fireSystemEvent(const std::string& event) {
    assertThread();
    if (event == "shutdown") {
        // Not from inside somebody's callback: all connections are told of their loss.
        if (inRun_) {
            stopRequested_ = true;
        } else if (!stopping_) {
            beginShutdown();
        }
    } else {
        events_->fire(event, [] {});
    }
}

std::unique_ptr<DescriptorWatch> LibeventReactor::watch(int descriptor, DescriptorListener& listener) {
    assertThread();
    if (dying_) throw RuntimeError("the reactor is being destroyed");
    return std::make_unique<Watch>(*this, descriptor, listener);
}

std::vector<std::shared_ptr<Protocol>> LibeventReactor::acceptedProtocols() const {
    assertThread();
    std::vector<std::shared_ptr<Protocol>> accepted;
    for (const Watch* watch : watches_) {
        if (auto protocol = watch->listener().acceptedProtocol()) accepted.push_back(std::move(protocol));
    }
    return accepted;
}

/// Tells all that there are; not those that begin from there, or a factory that reconnects at once would go on for
/// ever.
void LibeventReactor::disconnectAll(const Failure& reason) {
    std::vector<Watch*> all;
    all.swap(watches_);
    for (Watch* watch : all) watch->setList(all);
    while (!all.empty()) {
        Watch* const watch = all.back();
        DescriptorListener& listener = watch->listener();
        watch->detach();  // whatever the listener does, each is told once
        try {
            listener.reactorGone(reason);
        } catch (...) {
            log::err(Failure::current(), "while disconnecting all");
        }
    }
}

std::shared_ptr<ListeningPort> LibeventReactor::listenTCP(int port, std::shared_ptr<Factory> factory, int backlog,
                                                          const std::string& interface) {
    assertThread();
    auto listening = std::make_shared<tcp::Port>(*this, port, std::move(factory), backlog, interface);
    listening->startListening();
    return listening;
}

std::shared_ptr<Connector> LibeventReactor::connectTCP(const std::string& host, int port,
                                                       std::shared_ptr<ClientFactory> factory, Duration timeout,
                                                       const Address& bindAddress) {
    assertThread();
    auto connector = std::make_shared<tcp::Connector>(*this, host, port, std::move(factory), timeout, bindAddress);
    connector->connect();
    return connector;
}

std::shared_ptr<ListeningPort> LibeventReactor::listenSSL(int port, std::shared_ptr<Factory> factory,
                                                          const ssl::ContextFactory& options, int backlog,
                                                          const std::string& interface) {
    auto tls = std::make_shared<TLSMemoryBIOFactory>(options, ssl::Role::server, std::move(factory));
    return listenTCP(port, std::move(tls), backlog, interface);
}

std::shared_ptr<Connector> LibeventReactor::connectSSL(const std::string& host, int port,
                                                       std::shared_ptr<ClientFactory> factory,
                                                       const ssl::ContextFactory& options, Duration timeout,
                                                       const Address& bindAddress) {
    auto tls = std::make_shared<TLSMemoryBIOFactory>(options, ssl::Role::client, std::move(factory));
    return connectTCP(host, port, std::move(tls), timeout, bindAddress);
}

void LibeventReactor::callFromThread(Function<void()> function) {
    if (!function) throw ValueError("callFromThread needs a function to call");
    const std::lock_guard lock(shared_->mutex);
    shared_->calls.push_back(std::move(function));
    raiseWakeUp();
}

void LibeventReactor::wakeUp() {
    const std::lock_guard lock(shared_->mutex);
    raiseWakeUp();
}

/// Under the lock: what is posted may be the end of this reactor, whose destructor waits for the lock before the
/// descriptor is closed that is written to here.
void LibeventReactor::raiseWakeUp() {
    // One write is enough until the loop has seen it, and none if it looks at the flag before it waits. The lock has
    // shown us whether the calls have been taken since: then the flag was lowered before.
    if (wakeUpPending_.load(std::memory_order_relaxed) || wakeUpPending_.exchange(true)) return;
    if (asleep_) loop_->wakeUp();
}

void LibeventReactor::runThreadCalls() {
    if (!wakeUpPending_.load(std::memory_order_relaxed) || !wakeUpPending_.exchange(false)) return;
    std::vector<Function<void()>> calls = std::exchange(spareCalls_, {});
    {
        const std::lock_guard lock(shared_->mutex);
        calls.swap(shared_->calls);  // what is posted from now on waits for the next pass (TH-2)
    }
    turn_.counters().threadCalls += calls.size();
    for (Function<void()>& call : calls) {
        const auto run = [&call] {
            try {
                call();
            } catch (...) {
                log::err(Failure::current(), "while calling from thread");
            }
        };
        if (slowCallback_ != 0) {
            timed(typeid(ReactorThreads), run);
        } else {
            run();
        }
        call = nullptr;
    }
    calls.clear();
    if (calls.capacity() <= kKeptThreadCalls) spareCalls_ = std::move(calls);
}

void LibeventReactor::callInThread(Function<void()> function) {
    assertThread();
    pool_->callInThread(std::move(function));
}

std::shared_ptr<HostnameResolver> LibeventReactor::installNameResolver(std::shared_ptr<HostnameResolver> resolver) {
    assertThread();
    if (!resolver) throw ValueError("installNameResolver needs a resolver");
    return std::exchange(resolver_, std::move(resolver));
}

void LibeventReactor::cancelForever() {
    while (!forever_.empty()) {
        std::vector<Deferred<void>> round;
        round.swap(forever_);
        for (Deferred<void>& deferred : round) {
            if (!deferred.called()) deferred.cancel();
        }
    }
}

void LibeventReactor::installSignals() {
    LibeventReactor* nobody = nullptr;
    if (!signalOwner.compare_exchange_strong(nobody, this)) return;
    const auto take = [this](int number) {
        loop_->addSignal(number, [this, number] {
            turn_.mark();
            const std::string received = std::string("Received SIG") + sigabbrev_np(number);
            exitSignal_ = number;
            if (stopRequested_) {
                log::msg(received + " while shutting down: hurrying.");
                events_->fire("hurry", [] {});
            } else {
                log::msg(received + ", shutting down.");
                stop();
            }
        });
    };
    struct sigaction present {};
    sigaction(SIGINT, nullptr, &present);
    if (present.sa_handler == SIG_DFL) take(SIGINT);  // the application's own handler is left alone (SE-7)
    take(SIGTERM);
}

void LibeventReactor::removeSignals() {
    if (signalOwner.load() != this) return;
    loop_->removeSignals();
    signalOwner = nullptr;
}

}  // namespace torsion
