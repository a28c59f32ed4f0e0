#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/duration.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/protocol.hpp>
#include <torsion/core/reactor.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/results.hpp>

/// Tests that are coroutines, or return a Deferred, under the rules of Twisted's trial: there is a time limit, and a
/// test must leave nothing behind.
namespace torsion::testing {

/// A test did not end within its time limit, or, on a MemoryReactor, never can.
class TestTimeout : public FailTest {
public:
    using FailTest::FailTest;
};

/// A test has left something behind: timers, connections, ports, descriptors, or errors that were logged and that it
/// did not take with flushLoggedErrors (trial's DirtyReactorAggregateError).
class DirtyReactorError : public FailTest {
public:
    using FailTest::FailTest;
};

/// How a test has come out.
struct AsyncOutcome {
    std::optional<Failure> failure;                 ///< what the test threw, its Deferred's Failure, or a TestTimeout
    std::vector<std::string> leftBehind;            ///< a line each
    std::vector<LoggedErrors::Entry> loggedErrors;  ///< unhandled failures of Deferreds among them

    bool ok() const noexcept { return !failure && leftBehind.empty() && loggedErrors.empty(); }

    /// What was left and logged, for a report; empty if nothing was.
    std::string complaint() const;
};

/// What a test is: it returns a Deferred, as a coroutine does. An empty one of a moved-from handle counts as done.
using AsyncBody = Function<Deferred<void>()>;

/// Trial's limit of a test.
constexpr Duration kDefaultTestTimeout = std::chrono::seconds(120);

/// Runs @p body on @p reactor until its Deferred fires, or @p limit of real time has passed: then the Deferred is
/// cancelled. Afterwards a few turns are passed, so that what closes can close, and what is left is looked for: timers
/// of the reactor, which are then cancelled, and descriptors of the process. To be called while the reactor does not
/// run; leaves it without its shutdown event, so that it may be used again.
/// @throws ValueError if @p limit is not positive; ReactorAlreadyRunning
AsyncOutcome observeAsync(Reactor& reactor, AsyncBody body, Duration limit = kDefaultTestTimeout);

/// The same in memory, where no real time passes: whenever nothing else happens the clock leaps to the next timer, up
/// to
/// @p limit. If there is none the test can never end, and that is told at once.
AsyncOutcome observeAsync(MemoryReactor& reactor, AsyncBody body, Duration limit = kDefaultTestTimeout);

/// observeAsync for those who want an exception.
/// @throws what the test failed with; TestTimeout; DirtyReactorError
void runAsync(Reactor& reactor, AsyncBody body, Duration limit = kDefaultTestTimeout);
void runAsync(MemoryReactor& reactor, AsyncBody body, Duration limit = kDefaultTestTimeout);

/// Fires when all @p protocols have had their connectionLost (waitUntilAllDisconnected): the end of a test that has
/// closed connections. It looks every 10 ms.
Deferred<void> waitUntilAllDisconnected(ReactorTime& reactor, std::vector<std::shared_ptr<Protocol>> protocols);

/// The same for those that are named, `co_await waitUntilAllDisconnected(reactor, client, server)`: g++ 12 takes no
/// list in braces in an await.
template <class... Protocols>
    requires(sizeof...(Protocols) != 0 && (std::convertible_to<Protocols, std::shared_ptr<Protocol>> && ...))
Deferred<void> waitUntilAllDisconnected(ReactorTime& reactor, Protocols... protocols) {
    return waitUntilAllDisconnected(reactor, std::vector<std::shared_ptr<Protocol>>{std::move(protocols)...});
}

/// The open descriptors of this process, each with what it is, such as "7: socket of 127.0.0.1:80 with ...".
std::vector<std::string> openDescriptors();

}  // namespace torsion::testing
