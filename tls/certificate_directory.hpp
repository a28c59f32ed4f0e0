#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <torsion/core/context_factory.hpp>
#include <torsion/tls/certificate_options.hpp>
#include <torsion/tls/server_name_map.hpp>

namespace torsion::ssl {

/// A server's recipe from a folder of PEM files, which can be read again while it is in use.
///
/// Each file whose name ends in ".pem" holds a key, its certificate and the rest of the chain, as
/// PrivateCertificate::loadPEM reads them, and serves the DNS names of that certificate. Who asks for no name, or for
/// one that is not there, gets default.pem; without such a file he is sent away. Folders in the folder and hidden files
/// are passed over. Instead of a folder one file may be named, which then serves everybody.
///
///     CertificateDirectory certificates("/etc/certificates");
///     reactor.listenSSL(443, factory, certificates);
///     CertificateWatch watch(reactor, certificates, std::chrono::minutes(1));
///
/// At the start every fault is an error. A reload takes what is good, and leaves the rest as it was: a file that cannot
/// be used goes on with what was last read from it, and each fault is logged. Names that a file had keep being its own
/// while it has them; a file that claims another's name is at fault. Files that are gone are served no more, unless
/// nothing would be left. What has not changed keeps its CertificateOptions, so its sessions can be resumed.
///
/// Copies, and what share() returns, are handles of one object; a reload through one shows in all. Connections keep
/// the recipe with which they began. All methods may be called from any thread.
class CertificateDirectory final : public ContextFactory {
public:
    class Settings;

    static constexpr std::size_t kDefaultLargestFile = 1U << 20U;  ///< octets

    /// Reads all files. @param path of a folder, or of one PEM file
    /// @throws std::system_error if @p path cannot be read
    /// @throws ssl::Error that lists all faults: files that cannot be used, and names that two of them claim; or if
    /// there is no file at all
    explicit CertificateDirectory(std::string path);
    CertificateDirectory(std::string path, const Settings& settings);

    /// Reads all files again. New connections get what was read. Reads files, so it may take a while; connections made
    /// meanwhile do not wait for it. @return whether there was no fault; see faults()
    bool reload();

    /// The same if a file has come, gone or changed since they were last read: its time, its size, or which file it is.
    /// Cheap otherwise. @return whether they were read
    bool reloadIfChanged();

    /// What was wrong when the files were last read, a sentence each that names the file.
    std::vector<std::string> faults() const;

    /// What is served now.
    ServerNameMap current() const;

    const std::string& path() const noexcept;

    std::shared_ptr<const ContextFactory> share() const override;
    std::unique_ptr<Session> newSession(Role role, const SessionOptions& options) const override;
    Duration handshakeTimeout() const override;
    Duration closeTimeout() const override;

private:
    class State;

    std::shared_ptr<State> state_;
};

/// What a CertificateDirectory may be told. Each setter returns the object, so that they chain.
class CertificateDirectory::Settings {
public:
    /// What all recipes have besides their certificates: versions, ciphers, application protocols, whom clients must
    /// know, timeouts, tickets. @throws TypeError if it has a key, a certificate or a chain of its own
    Settings& parameters(const CertificateOptions::Parameters& shared);

    /// The file for clients that ask for no name or an unknown one. Unlike default.pem, which is taken if it is there,
    /// it must be. @throws ValueError if it is empty or holds a slash
    Settings& defaultFile(std::string name);

    /// Sends clients away that ask for an unknown name, although there is a default for those that ask for none.
    Settings& refuseUnknownNames(bool refused = true);

    /// The size from which on a file is a fault, in octets. @throws ValueError if it is 0
    Settings& largestFile(std::size_t size);

private:
    friend class CertificateDirectory;

    CertificateOptions::Parameters parameters_;
    std::string defaultFile_;  // empty: default.pem, if it is there
    bool refuseUnknownNames_ = false;
    std::size_t largestFile_ = kDefaultLargestFile;
};

}  // namespace torsion::ssl
