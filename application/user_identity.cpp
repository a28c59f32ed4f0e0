#include <torsion/application/user_identity.hpp>

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

namespace torsion::service {

namespace {

/// More than any entry of a user or a sensible group needs.
constexpr std::size_t kLargestEntry = 1U << 20;

std::optional<unsigned> number(const std::string& text) {
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    // The greatest one is no identity: to setresuid it means "leave it".
    if (text.empty() || error != std::errc() || stop != end || value == static_cast<unsigned>(-1)) return std::nullopt;
    return value;
}

/// Calls one of the look-ups with as much room as it wants, and hands what it finds to @p use.
/// @return whether there is such an entry @throws UnknownUserError if it could not be asked for
template <class Entry, class Key, class Use>
bool lookUp(int (*find)(Key, Entry*, char*, std::size_t, Entry**), std::type_identity_t<Key> key,
            const std::string& what, Use use) {
    std::vector<char> room(1024);
    for (;;) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = find(key, &entry, room.data(), room.size(), &found);
        if (error == ERANGE && room.size() < kLargestEntry) {
            room.resize(room.size() * 2);
        } else if (error == EINTR) {
            continue;
        } else if (found != nullptr) {
            use(*found);
            return true;
        } else if (error == 0 || error == ENOENT || error == ESRCH) {
            return false;
        } else {
            throw UnknownUserError(what + " could not be looked up: " + std::strerror(error));
        }
    }
}

void demand(int result, const std::string& what) {
    if (result != 0) throw PrivilegeError(what + ": " + std::strerror(errno));
}

/// Whether the process could take up the right to become another user again, which PR_SET_KEEPCAPS leaves.
bool mayChangeUser() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0) return true;
    return (sets[0].permitted & (1U << CAP_SETUID)) != 0;
}

}  // namespace

UserIdentity::UserIdentity(const std::string& user, const std::string& group) {
    const std::string what = "the user '" + user + "'";
    const auto take = [this](const passwd& entry) {
        name_ = entry.pw_name;
        uid_ = entry.pw_uid;
        gid_ = entry.pw_gid;
    };
    const std::optional<unsigned> userNumber = number(user);
    if (!lookUp(&::getpwnam_r, user.c_str(), what, take) &&
        !(userNumber && lookUp(&::getpwuid_r, *userNumber, what, take))) {
        if (!userNumber) throw UnknownUserError(what + " is not known to this system");
        if (group.empty()) throw UnknownUserError(what + " is not known to this system: name a group, too");
        uid_ = *userNumber;
    }
    if (group.empty()) return;
    const std::string whatGroup = "the group '" + group + "'";
    const std::optional<unsigned> groupNumber = number(group);
    if (lookUp(&::getgrnam_r, group.c_str(), whatGroup, [this](const ::group& entry) { gid_ = entry.gr_gid; })) return;
    if (!groupNumber) throw UnknownUserError(whatGroup + " is not known to this system");
    gid_ = *groupNumber;
}

void UserIdentity::assume() const {
    const auto isCurrent = [this] {
        uid_t users[3];
        gid_t groups[3];
        ::getresuid(&users[0], &users[1], &users[2]);
        ::getresgid(&groups[0], &groups[1], &groups[2]);
        for (const uid_t user : users) {
            if (user != uid_) return false;
        }
        for (const gid_t group : groups) {
            if (group != gid_) return false;
        }
        return true;
    };
    if (isCurrent()) return;
    const std::string who = "uid " + std::to_string(uid_) + (name_.empty() ? "" : " ('" + name_ + "')");
    if (::geteuid() != 0) {
        throw PrivilegeError("the process cannot become " + who + " with gid " + std::to_string(gid_) +
                             ": only root can, and it runs as uid " + std::to_string(::geteuid()) +
                             "; start it as root, or have the service manager set the user");
    }
    if (name_.empty()) {
        demand(::setgroups(1, &gid_), "setgroups for " + who);
    } else {
        demand(::initgroups(name_.c_str(), gid_), "initgroups for " + who);
    }
    demand(::setresgid(gid_, gid_, gid_), "setresgid to gid " + std::to_string(gid_));
    demand(::setresuid(uid_, uid_, uid_), "setresuid to " + who);
    if (!isCurrent()) throw PrivilegeError("the process did not become " + who + ", although the system says so");
    if (uid_ != 0 && (::seteuid(0) == 0 || ::setuid(0) == 0 || mayChangeUser())) {
        throw PrivilegeError("the process became " + who + ", but can still become root again: capabilities were kept");
    }
}

}  // namespace torsion::service
