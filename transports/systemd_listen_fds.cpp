#include <torsion/transports/systemd_listen_fds.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/transports/hostname.hpp>

namespace torsion {

namespace {

std::optional<std::string> variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<int> number(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    int value = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, value);
    if (error != std::errc() || stop != end || value < 0) return std::nullopt;
    return value;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == ':') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

std::string howMany(std::size_t count) {
    if (count == 0) return "the process was started with none";
    return "the process was started with " + std::to_string(count);
}

ListenFDs nothing(const std::string& why) {
    log::warn("Sockets from LISTEN_FDS are not used: " + why);
    return ListenFDs();
}

}  // namespace

ListenFDs ListenFDs::fromEnvironment(int start) {
    const std::optional<int> process = number(variable("LISTEN_PID"));
    if (!process || *process != ::getpid()) return ListenFDs();  // they are another's
    const std::optional<std::string> countText = variable("LISTEN_FDS");
    const std::optional<std::string> namesText = variable("LISTEN_FDNAMES");
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);

    const std::optional<int> count = number(countText);
    if (!count) return nothing("it is " + (countText ? quoted(*countText) : "missing") + ", not a number");
    std::vector<std::string> names;
    if (namesText && *count > 0) {
        names = split(*namesText);
        if (names.size() != static_cast<std::size_t>(*count)) {
            return nothing("there are " + std::to_string(*count) + " of them and " + std::to_string(names.size()) +
                           " names in LISTEN_FDNAMES");
        }
    }
    std::vector<Inherited> inherited;
    for (int i = 0; i < *count; ++i) {
        const int descriptor = start + i;
        if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
            return nothing("descriptor " + std::to_string(descriptor) + " is not open");
        }
        inherited.push_back({descriptor, names.empty() ? std::string() : names[static_cast<std::size_t>(i)]});
    }
    return ListenFDs(std::move(inherited));
}

ListenFDs& ListenFDs::ofProcess() {
    static ListenFDs fds = fromEnvironment();
    return fds;
}

int ListenFDs::byIndex(std::size_t index) const {
    if (index >= inherited_.size()) {
        throw ValueError("there is no socket " + std::to_string(index) + ": " + howMany(inherited_.size()) +
                         (inherited_.empty() ? "" : ", counted from 0"));
    }
    return inherited_[index].fileDescriptor;
}

int ListenFDs::byName(const std::string& name) const {
    std::string names;
    for (const Inherited& one : inherited_) {
        if (one.name == name) return one.fileDescriptor;
        names += (names.empty() ? ", named " : ", ") + quoted(one.name);
    }
    throw ValueError("there is no socket named " + quoted(name) + ": " + howMany(inherited_.size()) + names);
}

}  // namespace torsion
