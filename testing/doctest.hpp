#pragma once

#include <doctest/doctest.h>

#include <torsion/reactor/libevent_reactor.hpp>
#include <torsion/testing/memory_reactor.hpp>
#include <torsion/testing/run_async.hpp>

/// Test cases for doctest that are coroutines. The only header of the kit that needs a test framework; nothing else
/// includes it.
namespace torsion::testing::detail {

/// Runs @p body on a fresh reactor and reports to doctest what it came to.
template <class R>
void runDoctestCase(Deferred<void> (*body)(R&), Duration limit, const char* file, int line) {
    AsyncOutcome outcome;
    LoggedErrors late;  // of the reactor's end
    {
        R reactor;
        outcome = observeAsync(
            reactor, [&] { return body(reactor); }, limit);
    }
    for (const LoggedErrors::Entry& entry : late.entries()) outcome.loggedErrors.push_back(entry);
    const std::string complaint = outcome.complaint();
    if (!complaint.empty()) DOCTEST_ADD_FAIL_CHECK_AT(file, line, complaint);
    if (outcome.failure) outcome.failure->raise();  // doctest tells of it, and knows its own
}

}  // namespace torsion::testing::detail

#define TORSION_DETAIL_CASE(FUNCTION, REACTOR, NAME, LIMIT)                                        \
    static ::torsion::Deferred<void> FUNCTION(REACTOR& reactor);                                   \
    DOCTEST_TEST_CASE(NAME) {                                                                      \
        ::torsion::testing::detail::runDoctestCase<REACTOR>(&FUNCTION, LIMIT, __FILE__, __LINE__); \
    }                                                                                              \
    static ::torsion::Deferred<void> FUNCTION([[maybe_unused]] REACTOR& reactor)

/// A test case whose body is a coroutine, on a LibeventReactor of its own, which is there as `reactor`. It fails if the
/// body throws, does not end within the time limit, or leaves timers, descriptors or logged errors behind.
///
/// @code
///     TORSION_TEST("the server echoes") {
///         auto port = reactor.listenTCP(0, Factory::forProtocol<Echo>());
///         ...
///         co_await port->stopListening();
///     }
/// @endcode
#define TORSION_TEST(NAME)                                                                 \
    TORSION_DETAIL_CASE(DOCTEST_ANONYMOUS(torsionTest_), ::torsion::LibeventReactor, NAME, \
                        ::torsion::testing::kDefaultTestTimeout)

/// The same with a time limit of its own, such as 5s.
#define TORSION_TEST_WITHIN(LIMIT, NAME) \
    TORSION_DETAIL_CASE(DOCTEST_ANONYMOUS(torsionTest_), ::torsion::LibeventReactor, NAME, LIMIT)

/// The same on a MemoryReactor, where no real time passes: the clock leaps from timer to timer.
#define TORSION_MEMORY_TEST(NAME)                                                                 \
    TORSION_DETAIL_CASE(DOCTEST_ANONYMOUS(torsionTest_), ::torsion::testing::MemoryReactor, NAME, \
                        ::torsion::testing::kDefaultTestTimeout)
