#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace torsion::ssl {

/// Where the secrets of connections go, in the NSS key log format that Wireshark and others read: a line each, such as
/// "CLIENT_RANDOM <client random> <master secret>" in TLS 1.2. Whoever reads them can read the connections, and change
/// them while they last: for looking for faults only.
///
/// A handle: copies share the place. Safe from any thread. What cannot be written is logged once and harms no
/// connection.
class KeyLog {
public:
    /// Is given one line at a time, without an end of line, by whichever thread has the connection; never by two at
    /// once. It must not call the connection. What it throws is logged once.
    using Writer = std::function<void(std::string_view line)>;

    /// Lines go to the end of the file @p path, each in one write. The file is made if there is none, for its owner
    /// only (mode 0600); the mode of one that is there stays as it is. Key logs of the same path share the file.
    /// @throws std::system_error if it cannot be opened
    explicit KeyLog(const std::string& path);

    /// @throws ValueError for an empty one
    explicit KeyLog(Writer writer);

    /// The file that the environment variable SSLKEYLOGFILE names; none if it is not set or empty, and in a program
    /// that runs with more rights than whoever started it has (setuid, setgid, file capabilities). A file that cannot
    /// be opened is logged as a warning.
    static std::optional<KeyLog> fromEnvironment();

    void write(std::string_view line) const noexcept;

private:
    class Sink;
    class File;
    class Callback;
    explicit KeyLog(std::shared_ptr<Sink> sink) noexcept : sink_(std::move(sink)) {}
    static std::shared_ptr<Sink> fileAt(const std::string& path);

    std::shared_ptr<Sink> sink_;
};

}  // namespace torsion::ssl
