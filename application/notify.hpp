#pragma once

#include <optional>
#include <string_view>

#include <torsion/core/duration.hpp>

/// How a service tells the service manager, systemd or whoever speaks as it does, how it fares: sd_notify(3), without
/// libsystemd.
namespace torsion::service {

/// Sends @p state, such as "READY=1" or "STATUS=Loading" with newlines between several, to the socket that the variable
/// NOTIFY_SOCKET names: a path, or a name in the abstract namespace that begins with '@'. Without the variable nothing
/// happens. Never blocks; what goes wrong is logged. service::run does this by itself for READY and STOPPING. From any
/// thread, as long as none changes the environment.
/// @return whether it was sent
bool sdNotify(std::string_view state);

/// What has become of a message: it was sent, or nobody wants any; the service manager has too many that it has not
/// read yet, or we too many descriptors, which may pass; or it never will be.
enum class Notification { sent, unwanted, busy, failed };

/// sdNotify, for those who would try again.
Notification trySdNotify(std::string_view state);

/// How often the service manager wants to hear "WATCHDOG=1" at least (sd_watchdog_enabled(3): WATCHDOG_USEC, unless
/// WATCHDOG_PID names another process); none if it does not watch. service::run sends it twice as often.
std::optional<Duration> watchdogInterval();

}  // namespace torsion::service
