#pragma once

#include <string>
#include <vector>

namespace torsion {

/// The sockets that a process was started with: socket activation, by systemd and whoever speaks as it does
/// (twisted.python.systemd.ListenFDs; sd_listen_fds(3)). LISTEN_PID says for which process they are, LISTEN_FDS how
/// many from descriptor 3 on, and LISTEN_FDNAMES, with colons between, how they are called.
class ListenFDs {
public:
    struct Inherited {
        int fileDescriptor;
        std::string name;  ///< empty if there are no names
    };

    /// The first of them, as systemd has it.
    static constexpr int kStart = 3;

    explicit ListenFDs(std::vector<Inherited> inherited = {}) : inherited_(std::move(inherited)) {}

    /// Reads the environment, and if it speaks of this process, takes the three variables out of it and keeps the
    /// descriptors from programs that are started later. If it makes no sense, such as another number of names than of
    /// descriptors, that is logged, and there are none. Changing the environment is nothing for a process that has
    /// threads already.
    static ListenFDs fromEnvironment(int start = kStart);

    /// Those of this process, read at the first call. The `systemd:` endpoint strings look here. A test may assign
    /// others. Not while another thread uses it.
    static ListenFDs& ofProcess();

    /// In their order.
    const std::vector<Inherited>& inherited() const noexcept { return inherited_; }

    /// @throws ValueError that says how many there are
    int byIndex(std::size_t index) const;

    /// The first one of that name. @throws ValueError that says which names there are
    int byName(const std::string& name) const;

private:
    std::vector<Inherited> inherited_;
};

}  // namespace torsion
