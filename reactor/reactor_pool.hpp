#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/address.hpp>
#include <torsion/core/context_factory.hpp>
#include <torsion/core/factory.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/reactor/shared_factory.hpp>

namespace torsion {

class LibeventReactor;

namespace detail {
class PoolListening;
class ReactorHandle;
}  // namespace detail

/// How the reactors of a pool come to their connections.
enum class Accepting {
    reusePort,  ///< each has a listening socket of its own; the kernel spreads connections over them (SO_REUSEPORT)
    handOver    ///< the first one accepts, and deals the connections out to all in turn
};

/// A port on which all reactors of a pool serve. Every method may be called from any thread. Nobody has to keep it: it
/// listens until it is told to stop, or the pool ends.
class PoolPort : public std::enable_shared_from_this<PoolPort> {
public:
    virtual ~PoolPort() = default;

    /// The address it is bound to; stays readable after the end.
    virtual Address getHost() const = 0;

    /// How connections are spread; handOver also where reusePort was wanted and the kernel refused it.
    virtual Accepting accepting() const = 0;

    /// Stops listening, each reactor in a later turn; connections stay. Before run(), at once. Idempotent.
    virtual void stopListening() = 0;
};

/// N reactors on N threads, which serve the same ports.
///
///     ReactorPool pool;  // as many as there are processors to run on
///     pool.listenTCP(8000, [](Reactor&) { return Factory::forProtocol<Echo>(); });
///     pool.run();
///
/// Each reactor is an ordinary LibeventReactor, which is made, run and destroyed on its own thread; a connection stays
/// with the reactor that got it. The first reactor runs on the thread that calls run(), and has the signals: that is
/// mostly the main thread, to which they come, and so none is idle. docs/reactors.md tells what may cross threads.
///
/// A pool is set up, run once and destroyed by one thread. From other threads, the reactors' included, everything else
/// may be called. Twisted has no pool; its like is a process for each processor, all of which adopt one port.
class ReactorPool {
public:
    /// More than this is taken for a mistake.
    static constexpr std::size_t kMostReactors = 1024;

    /// Makes the factory of one reactor, on its thread. Never called by two threads at once. A SharedFactory is one.
    using FactoryMaker = Function<std::shared_ptr<Factory>(Reactor&)>;

    /// Makes no reactor yet. @throws ValueError unless @p size is 1 to kMostReactors
    explicit ReactorPool(std::size_t size = defaultSize(), Accepting accepting = Accepting::reusePort);
    ReactorPool(const ReactorPool&) = delete;
    ReactorPool& operator=(const ReactorPool&) = delete;

    /// Not before run() has returned.
    ~ReactorPool();

    /// How many processors this process may run on (std::thread::hardware_concurrency), in the bounds of a pool.
    static std::size_t defaultSize() noexcept;

    std::size_t size() const noexcept { return handles_.size(); }

    /// Listens on @p port (0 picks one) with a factory for each reactor. From now on clients may connect; they wait for
    /// run(). With reusePort each reactor has a @p backlog of its own. When a pool runs, this begins a turn later.
    /// @param interface a literal; empty is every IPv4 interface, "::" every interface
    /// @throws CannotListenError, also if somebody who would share the port listens there; then nothing is left
    /// @throws ValueError for an empty function, or a port that is none
    /// @throws RuntimeError after run()
    std::shared_ptr<PoolPort> listenTCP(int port, FactoryMaker makeFactory, int backlog = ReactorTCP::kDefaultBacklog,
                                        const std::string& interface = "");

    /// listenTCP whose connections speak TLS. All reactors share @p options, and so ticket keys and the session cache:
    /// a client may resume at one what it began at another. @throws TypeError if @p options are not a server's
    std::shared_ptr<PoolPort> listenSSL(int port, FactoryMaker makeFactory, const ssl::ContextFactory& options,
                                        int backlog = ReactorTCP::kDefaultBacklog, const std::string& interface = "");

    /// Calls @p function with each reactor, on its thread: before run() as a part of its set-up, in the order of these
    /// calls and of listenTCP's; afterwards in a later turn. Never by two threads at once, so it should not wait for
    /// another reactor. What it throws ends the pool, see run().
    void forEach(Function<void(Reactor&)> function);

    /// Sets all reactors up, one after the other, then runs them until stop(), or until one of them ends in whatever
    /// way: by a signal, its own stop() or crash(). All get their shutdown event and all have ended when this returns.
    ///
    /// If something fails in the set-up of one (a function of forEach or listenTCP, the making of a thread), none is
    /// run, and the first exception comes out of here. If it fails later, all are stopped first.
    /// @param installSignalHandlers as Reactor::run, for the first reactor
    /// @throws ReactorAlreadyRunning while it runs, RuntimeError after it has run: a pool runs once
    void run(bool installSignalHandlers = true);

    /// Asks for the end of all. From any thread; again is harmless. While they are being set up it comes right after.
    /// @throws ReactorNotRunning before run(), or after it
    void stop();

    /// From the call of run() to its end.
    bool running() const;

    /// What may be used of reactor @p index by other threads. It is there as long as the pool: calls made before run()
    /// wait for that; calls that come too late are destroyed on that reactor's thread as they come, or by the caller
    /// when all have ended. @throws ValueError if there is no such reactor
    ReactorThreads& reactor(std::size_t index);

    /// The number of the reactor whose thread this is. @throws RuntimeError on a thread that is none of this pool's
    std::size_t current() const;

private:
    enum class State { idle, running, ended };
    using SetUp = Function<void(Reactor&, std::size_t)>;

    void addSetUp(SetUp function);
    void checkNotEnded() const;
    void throwIfEnded() const;
    void startThreads();
    void live(std::size_t index, bool installSignalHandlers);
    void setUp(LibeventReactor& reactor, std::size_t index);
    void fail() noexcept;
    void stopAll();
    void destroyLateCalls();
    void end();
    bool waitForTurn(std::size_t index);
    bool waitForSetUp();
    void waitForEnd(std::size_t index);
    std::shared_ptr<PoolPort> listen(int port, FactoryMaker makeFactory,
                                     std::shared_ptr<const ssl::ContextFactory> options, int backlog,
                                     const std::string& interface);

    const Accepting accepting_;
    std::vector<std::shared_ptr<detail::ReactorHandle>> handles_;
    struct Threads;  // so that who includes this need not compile <thread> and its kin
    const std::unique_ptr<Threads> threading_;

    // Guarded by threading_->mutex.
    State state_ = State::idle;
    std::vector<SetUp> setUps_;
    std::vector<std::shared_ptr<detail::PoolListening>> ports_;
    std::exception_ptr failure_;
    std::size_t setUpDone_ = 0;
    std::size_t threads_ = 0;  ///< how many reactors' threads there are
    std::size_t ended_ = 0;    ///< how many of these run no reactor any more
    bool stopping_ = false;
};

}  // namespace torsion
