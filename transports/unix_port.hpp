#pragma once

#include <memory>
#include <string>

#include <torsion/transports/tcp_port.hpp>

namespace torsion {

/// A listening UNIX socket (twisted.internet.unix.Port).
class UNIXPort final : public tcp::Port {
public:
    UNIXPort(Reactor& reactor, const std::string& path, std::shared_ptr<Factory> factory, int backlog, unsigned mode,
             bool wantPID);
    ~UNIXPort();

    void startListening() override;

private:
    class File;

    Socket open() override;
    void closing() noexcept override;
    std::string kind() const override { return "UNIX Port"; }
    std::string place() const override;

    std::string path_;
    unsigned mode_;
    bool wantPID_;
    std::unique_ptr<File> file_;
};

}  // namespace torsion
