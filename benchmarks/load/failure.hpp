#pragma once

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

/// What ends the program with its text on stderr and status 1.
struct LoadFailure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <typename... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
    throw LoadFailure(fmt::format(text, std::forward<Args>(args)...));
}

/// @p what followed by the meaning of errno.
[[noreturn]] inline void failErrno(const std::string& what) {
    const int code = errno;
    fail("{}: {}", what, std::strerror(code));
}
