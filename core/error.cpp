#include <torsion/core/error.hpp>

#include <cerrno>
#include <cstring>

#include <torsion/core/failure.hpp>

namespace torsion {

namespace detail {

std::string describe(const char* base, const std::string& detail) {
    std::string text = base;
    if (!detail.empty()) text += ": " + detail;
    if (text.back() != '.') text += '.';
    return text;
}

std::string describe(const std::string& operation, int error) {
    return operation + ": " + std::system_category().message(error);
}

}  // namespace detail

namespace {

std::string connectErrorText(int osError, const std::string& detail) {
    std::string text = detail;
    if (osError != 0) {
        if (!text.empty()) text += ": ";
        text += std::system_category().message(osError);
    }
    return detail::describe(ConnectError::kText, text);
}

}  // namespace

ConnectError::ConnectError(int osError, const std::string& detail)
    : Error(connectErrorText(osError, detail)), osError_(osError) {}

CannotListenError::CannotListenError(const std::string& interface, int port, int osError)
    : BindError("Couldn't listen on " + (interface.empty() ? std::string("any") : interface) + ':' +
                    std::to_string(port) + ": " + std::system_category().message(osError) + '.',
                detail::Exactly{}),
      osError_(osError),
      port_(port) {}

CannotListenError::CannotListenError(const std::string& where, const std::string& why, int osError)
    : BindError("Couldn't listen on " + where + ": " + why + '.', detail::Exactly{}), osError_(osError), port_(0) {}

Failure connectFailure(int osError, const std::string& where) {
    const std::string detail = where + ": " + std::system_category().message(osError);
    switch (osError) {
        case ECONNREFUSED: return ConnectionRefusedError(detail);
        case ENETUNREACH:
        case EHOSTUNREACH: return NoRouteError(detail);
        case ETIMEDOUT: return TCPTimedOutError(detail);
        default: return ConnectError(osError, where);
    }
}

}  // namespace torsion
