#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include <torsion/core/failure.hpp>
#include <torsion/core/log.hpp>

namespace torsion::testing {

/// Catches every error that is logged while it lives, of any thread, and the failures that no Deferred's callback
/// handled (trial's observer of logged errors). What a test expects it takes out with flush(); what is left then is a
/// fault of the test. While it lives nothing of it goes to stderr.
class LoggedErrors {
public:
    /// One thing that was logged at error level or above.
    struct Entry {
        Failure failure;
        std::string why;  ///< what was being done, as in log::err
        bool unhandled;   ///< a Deferred died with it
    };

    LoggedErrors();
    LoggedErrors(const LoggedErrors&) = delete;
    LoggedErrors& operator=(const LoggedErrors&) = delete;
    ~LoggedErrors();

    /// Takes out those whose error is one of the types, without types all. @return them, in the order of logging
    template <class... Types>
    std::vector<Failure> flush() {
        return take([](const Failure& failure) { return sizeof...(Types) == 0 || failure.check<Types...>(); });
    }

    /// What is there, in the order of logging.
    std::vector<Entry> entries() const;
    std::size_t size() const;

    /// One line for each, for a report; empty if there is none.
    std::string text() const;

    /// The newest one that lives, or null.
    static LoggedErrors* current() noexcept;

private:
    std::vector<Failure> take(bool (*wanted)(const Failure&));

    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    LoggedErrors* previous_;
    int observer_;
};

namespace detail {
LoggedErrors& currentLoggedErrors();
}

/// flush() of the newest LoggedErrors: inside runAsync() and TORSION_TEST this accepts errors that the test expects
/// (TestCase.flushLoggedErrors). @throws RuntimeError outside
template <class... Types>
std::vector<Failure> flushLoggedErrors() {
    return detail::currentLoggedErrors().flush<Types...>();
}

}  // namespace torsion::testing
