#pragma once

#include <sys/types.h>

#include <string>

#include <torsion/core/error.hpp>

namespace torsion::service {

/// The system knows no such user or group.
class UnknownUserError : public ValueError {
public:
    using ValueError::ValueError;
};

/// The process may not become another user, or did not become it for good.
class PrivilegeError : public RuntimeError {
public:
    using RuntimeError::RuntimeError;
};

/// The user as which a process goes on that was started as root (twistd's --uid and --gid). service::run uses it.
class UserIdentity {
public:
    /// Looks up @p user, a name or number, and @p group, another one than the user's own if not empty. A number need
    /// not be known, but then a group must be given. May block, as look-ups of users do.
    /// @throws UnknownUserError
    explicit UserIdentity(const std::string& user, const std::string& group = "");

    uid_t uid() const noexcept { return uid_; }
    gid_t gid() const noexcept { return gid_; }

    /// Makes the process, with all its threads, this user's for good: the user's supplementary groups and no others,
    /// then the group, then the user, real, effective and saved; and looks whether it can go back. A process that is
    /// this user's already is left as it is.
    /// @throws PrivilegeError that says what could not be done: the process must end then, for half may have been done
    void assume() const;

private:
    std::string name_;  ///< empty if the number is not known
    uid_t uid_ = 0;
    gid_t gid_ = 0;
};

}  // namespace torsion::service
