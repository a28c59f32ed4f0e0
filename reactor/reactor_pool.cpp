#include <torsion/reactor/reactor_pool.hpp>

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <torsion/core/defer.hpp>
#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/reactor/pool_port.hpp>
#include <torsion/reactor/reactor_handle.hpp>
#include <torsion/reactor/signals_blocked.hpp>
#include <torsion/tls/session.hpp>

namespace torsion {

namespace {

/// Which reactor of which pool has this thread.
struct Place {
    const ReactorPool* pool;
    std::size_t index;
};
thread_local Place here{nullptr, 0};

void stopQuietly(Reactor& reactor) {
    try {
        reactor.stop();
    } catch (const ReactorNotRunning&) {  // it ends already
    }
}

}  // namespace

std::size_t ReactorPool::defaultSize() noexcept {
    return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostReactors);
}

struct ReactorPool::Threads {
    std::mutex setUpMutex;  ///< held while functions of the application set something up
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::thread> threads;  ///< all but the first reactor's
};

ReactorPool::ReactorPool(std::size_t size, Accepting accepting)
    : accepting_(accepting), threading_(std::make_unique<Threads>()) {
    if (size == 0 || size > kMostReactors) {
        throw ValueError("A ReactorPool has 1 to " + std::to_string(kMostReactors) + " reactors, not " +
                         std::to_string(size));
    }
    for (std::size_t i = 0; i < size; ++i) handles_.push_back(std::make_shared<detail::ReactorHandle>());
}

ReactorPool::~ReactorPool() {
    assert(!running() && "a ReactorPool was destroyed before its run() had returned");
    destroyLateCalls();
    end();
}

/// What was posted to a reactor that is not there. Nobody else is there either, so that no thread is the wrong one.
void ReactorPool::destroyLateCalls() {
    std::vector<std::vector<Function<void()>>> calls;
    for (const auto& handle : handles_) calls.push_back(handle->close());
}

void ReactorPool::checkNotEnded() const {
    const std::lock_guard lock(threading_->mutex);
    throwIfEnded();
}

/// Wants the mutex held.
void ReactorPool::throwIfEnded() const {
    if (state_ == State::ended) throw RuntimeError("A ReactorPool runs once, and this one has: make another");
}

std::shared_ptr<PoolPort> ReactorPool::listenTCP(int port, FactoryMaker makeFactory, int backlog,
                                                 const std::string& interface) {
    return listen(port, std::move(makeFactory), nullptr, backlog, interface);
}

std::shared_ptr<PoolPort> ReactorPool::listenSSL(int port, FactoryMaker makeFactory, const ssl::ContextFactory& options,
                                                 int backlog, const std::string& interface) {
    options.newSession(ssl::Role::server, {});  // a recipe that cannot work says so now
    return listen(port, std::move(makeFactory), options.share(), backlog, interface);
}

std::shared_ptr<PoolPort> ReactorPool::listen(int port, FactoryMaker makeFactory,
                                              std::shared_ptr<const ssl::ContextFactory> options, int backlog,
                                              const std::string& interface) {
    if (!makeFactory) throw ValueError("a pool listens with a function that makes a factory for each reactor");
    checkNotEnded();
    detail::PoolSockets sockets = detail::PoolSockets::open(
        size(), accepting_, port,
        [&](int actualPort, tcp::PortUse use) { return tcp::listeningSocket(interface, actualPort, backlog, use); });
    const auto listening = std::make_shared<detail::PoolListening>(handles_, std::move(sockets), std::move(makeFactory),
                                                                   std::move(options), backlog);
    {
        const std::lock_guard lock(threading_->mutex);
        throwIfEnded();  // it may have ended since; the others' ports are closed when it does
        ports_.push_back(listening);
    }
    addSetUp([listening](Reactor& reactor, std::size_t index) { listening->begin(reactor, index); });
    return listening;
}

void ReactorPool::forEach(Function<void(Reactor&)> function) {
    if (!function) throw ValueError("forEach needs a function to call");
    checkNotEnded();
    addSetUp([call = std::move(function)](Reactor& reactor, std::size_t) mutable { call(reactor); });
}

/// For the set-up to come; if that has begun, as a call to each reactor.
void ReactorPool::addSetUp(SetUp function) {
    {
        const std::lock_guard lock(threading_->mutex);
        if (state_ == State::idle) {
            setUps_.push_back(std::move(function));
            return;
        }
    }
    const auto shared = std::make_shared<SetUp>(std::move(function));
    for (std::size_t index = 0; index < size(); ++index) {
        handles_[index]->callFromThread([this, shared, index] {
            try {
                const std::lock_guard lock(threading_->setUpMutex);
                (*shared)(*handles_[index]->reactor(), index);
            } catch (...) {
                fail();
                stopAll();
            }
        });
    }
}

ReactorThreads& ReactorPool::reactor(std::size_t index) {
    if (index >= size()) {
        throw ValueError("There is no reactor " + std::to_string(index) + " in a pool of " + std::to_string(size()));
    }
    return *handles_[index];
}

std::size_t ReactorPool::current() const {
    if (here.pool != this) throw RuntimeError("this is not the thread of a reactor of this pool");
    return here.index;
}

bool ReactorPool::running() const {
    const std::lock_guard lock(threading_->mutex);
    return state_ == State::running;
}

void ReactorPool::run(bool installSignalHandlers) {
    checkNotEnded();
    {
        const std::lock_guard lock(threading_->mutex);
        if (state_ == State::running) throw ReactorAlreadyRunning();
        state_ = State::running;
    }
    startThreads();
    live(0, installSignalHandlers);
    for (std::thread& thread : threading_->threads) thread.join();
    threading_->threads.clear();
    destroyLateCalls();
    end();
    if (failure_) std::rethrow_exception(failure_);
}

/// When no reactor is left, or none has ever been. Somebody may keep a port, which must not go on listening.
void ReactorPool::end() {
    std::vector<SetUp> setUps;
    std::vector<std::shared_ptr<detail::PoolListening>> ports;
    const std::lock_guard lock(threading_->mutex);  // gone before these are, whose ends may call us
    state_ = State::ended;
    setUps.swap(setUps_);
    ports.swap(ports_);
    for (const auto& port : ports) port->close();
}

/// All but the first one's, which is the caller's. They wait for their turn to be set up, after the first.
void ReactorPool::startThreads() {
    std::vector<std::thread>& threads = threading_->threads;
    const detail::SignalsBlocked signalsAreTheFirstOnes;
    try {
        threads.reserve(size() - 1);
        for (std::size_t index = 1; index < size(); ++index) {
            threads.emplace_back([this, index] { live(index, false); });
        }
    } catch (...) {
        fail();
    }
    const std::lock_guard lock(threading_->mutex);
    threads_ = threads.size() + 1;
    threading_->changed.notify_all();
}

/// The life of one reactor, on its thread.
void ReactorPool::live(std::size_t index, bool installSignalHandlers) {
    const Place before = std::exchange(here, Place{this, index});
    std::unique_ptr<LibeventReactor> reactor;
    try {
        if (waitForTurn(index)) {
            reactor = std::make_unique<LibeventReactor>();
            setUp(*reactor, index);
        }
        if (waitForSetUp()) reactor->run(installSignalHandlers);
    } catch (...) {
        fail();
    }
    stopAll();
    std::vector<std::shared_ptr<detail::PoolListening>> ports;
    {
        const std::lock_guard lock(threading_->mutex);
        ports = ports_;
    }
    for (const auto& port : ports) port->end(index);
    // The end of another one may wait for an answer from here, which nobody works out any more: then it must be told
    // so. An answer is refused by the end of the call, or of the timer or connection that it hung on; and these must
    // end on this thread. So first nobody can post to the reactor any more, then it goes with all that it holds, and
    // then we stay to destroy what is posted, until nobody is left who might wait.
    handles_[index]->detach();
    reactor.reset();
    waitForEnd(index);
    here = before;
}

void ReactorPool::setUp(LibeventReactor& reactor, std::size_t index) {
    // Whatever ends one of them ends all.
    reactor.addSystemEventTrigger(SystemEventPhase::before, "shutdown", [this] {
        stopAll();
        return defer::succeed();
    });
    {
        const std::lock_guard lock(threading_->setUpMutex);
        for (SetUp& function : setUps_) function(reactor, index);
    }
    handles_[index]->attach(reactor);
    const std::lock_guard lock(threading_->mutex);
    ++setUpDone_;
    threading_->changed.notify_all();
}

/// Notes the exception that is being handled.
void ReactorPool::fail() noexcept {
    {
        const std::lock_guard lock(threading_->mutex);
        if (!failure_) {
            failure_ = std::current_exception();
            threading_->changed.notify_all();
            return;
        }
    }
    log::err(Failure::current(), "in a ReactorPool that has failed already");
}

void ReactorPool::stop() {
    if (!running()) throw ReactorNotRunning();
    stopAll();
}

void ReactorPool::stopAll() {
    {
        const std::lock_guard lock(threading_->mutex);
        if (std::exchange(stopping_, true)) return;
    }
    for (const auto& handle : handles_) {
        handle->callFromThread([&handle = *handle] { stopQuietly(*handle.reactor()); });
    }
}

bool ReactorPool::waitForTurn(std::size_t index) {
    std::unique_lock lock(threading_->mutex);
    threading_->changed.wait(lock, [&] { return setUpDone_ == index || failure_; });
    return !failure_;
}

/// @return whether all could be set up
bool ReactorPool::waitForSetUp() {
    std::unique_lock lock(threading_->mutex);
    threading_->changed.wait(lock, [&] { return setUpDone_ == size() || failure_; });
    return setUpDone_ == size();
}

/// Destroys what is posted to reactor @p index, which is gone, until all are.
void ReactorPool::waitForEnd(std::size_t index) {
    bool last = false;
    {
        const std::lock_guard lock(threading_->mutex);
        last = ++ended_ == threads_;  // the first one's end comes after the count of the threads
    }
    if (last) {
        for (const auto& handle : handles_) handle->endDestroying();
    }
    handles_[index]->destroyCalls();
}

}  // namespace torsion
