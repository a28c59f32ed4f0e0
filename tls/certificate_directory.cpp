#include <torsion/tls/certificate_directory.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/certificate_files.hpp>
#include <torsion/tls/errors.hpp>
#include <torsion/tls/openssl.hpp>
#include <torsion/tls/session.hpp>

namespace torsion::ssl {

namespace {

using Parameters = CertificateOptions::Parameters;

constexpr const char* kLogSystem = "ssl";
constexpr std::string_view kDefaultFile = "default.pem";

/// What was read from one file.
struct Loaded {
    std::string path;
    PrivateCertificate certificate;
    CertificateOptions options;
    std::vector<std::string> names;
};
using LoadedPointer = std::shared_ptr<const Loaded>;

bool sameCertificate(const PrivateCertificate& a, const PrivateCertificate& b) {
    return a == b && a.chain() == b.chain();  // one certificate has one key
}

bool equalButForCase(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
    });
}

std::string quotedPath(const std::string& path) { return "'" + printable(path) + "'"; }

/// Who serves which name. Names are given once.
class Claims {
public:
    /// The name for which @p loaded cannot be taken, as a fault; none if it can. Files with one and the same
    /// certificate do not stand in each other's way.
    std::optional<std::string> conflict(const Loaded& loaded) const {
        for (const std::string& name : loaded.names) {
            const auto taken = owners_.find(name);
            if (taken == owners_.end() || sameCertificate(taken->second->certificate, loaded.certificate)) continue;
            return printable(loaded.path) + ": its name '" + name + "' is served from " +
                   quotedPath(taken->second->path) + " already";
        }
        return std::nullopt;
    }

    void take(const LoadedPointer& loaded) {
        for (const std::string& name : loaded->names) owners_.emplace(name, loaded);
        files_.emplace(loaded->path, loaded);
    }

    bool owns(const Loaded& loaded) const {
        return !loaded.names.empty() && std::all_of(loaded.names.begin(), loaded.names.end(), [&](const auto& name) {
            const auto owner = owners_.find(name);
            return owner != owners_.end() && owner->second->path == loaded.path;
        });
    }

    LoadedPointer from(const std::string& path) const {
        const auto found = files_.find(path);
        return found == files_.end() ? nullptr : found->second;
    }

    bool empty() const noexcept { return files_.empty(); }

    void addTo(ServerNameMap::Entries& entries) const {
        std::map<std::string, std::vector<std::string>> names;  // by path, so that the order is always the same
        for (const auto& [name, loaded] : owners_) names[loaded->path].push_back(name);
        for (const auto& [path, own] : names) entries.add(own, files_.at(path)->options);
    }

private:
    std::map<std::string, LoadedPointer> owners_;  // by name
    std::map<std::string, LoadedPointer> files_;   // by path
};

}  // namespace

class CertificateDirectory::State {
public:
    State(std::string path, const Settings& settings) : path_(std::move(path)), settings_(settings) {
        files_ = listCertificateFiles(path_);
        std::vector<std::string> faults;
        read(faults);
        if (faults.empty()) return;
        std::string text = "The certificates of " + quotedPath(path_) + " cannot be served:";
        const char* separator = " ";
        for (const std::string& fault : faults) {
            text += separator + fault;
            separator = "; ";
        }
        throw Error(text);
    }

    bool reload() {
        const std::lock_guard lock(reading_);
        std::vector<std::string> faults;
        if (std::optional<std::vector<CertificateFile>> files = list(faults)) {
            files_ = std::move(*files);
            read(faults);
        }
        return finish(std::move(faults));
    }

    bool reloadIfChanged() {
        const std::lock_guard lock(reading_);
        std::vector<std::string> faults;
        std::optional<std::vector<CertificateFile>> files = list(faults);
        if (!files) {
            if (faults == this->faults()) return false;  // that was said last time
            finish(std::move(faults));
            return true;
        }
        if (listed_ && *files == files_) return false;
        files_ = std::move(*files);
        read(faults);
        finish(std::move(faults));
        return true;
    }

    std::vector<std::string> faults() const {
        const std::lock_guard lock(publishing_);
        return faults_;
    }

    ServerNameMap current() const {
        const std::lock_guard lock(publishing_);
        return *current_;
    }

    const std::string& path() const noexcept { return path_; }

private:
    std::optional<std::vector<CertificateFile>> list(std::vector<std::string>& faults) {
        try {
            auto files = listCertificateFiles(path_);
            return files;
        } catch (const std::system_error& error) {
            listed_ = false;
            faults.push_back(error.what());
            return std::nullopt;
        }
    }

    bool finish(std::vector<std::string> faults) {
        for (const std::string& fault : faults) log::warn(fault + "; what was served before is kept", kLogSystem);
        const std::lock_guard lock(publishing_);
        faults_ = std::move(faults);
        return faults_.empty();
    }

    LoadedPointer load(const CertificateFile& file) const {
        PrivateCertificate certificate = loadCertificateFile(file, settings_.largestFile_);
        if (LoadedPointer before = served_.from(file.path)) {
            // The same recipe, so that its sessions can be resumed.
            if (sameCertificate(before->certificate, certificate)) return before;
        }
        Parameters parameters = settings_.parameters_;
        parameters.privateKey(certificate.privateKey()).certificate(certificate);
        if (!certificate.chain().empty()) parameters.extraCertChain(certificate.chain());
        std::vector<std::string> names = serverNamesOf(certificate);
        if (names.empty() && !isDefault(file)) {
            throw Error("its certificate has no DNS name that clients could ask for; only the default needs none");
        }
        return std::make_shared<const Loaded>(
            Loaded{file.path, std::move(certificate), CertificateOptions(parameters), std::move(names)});
    }

    bool isDefault(const CertificateFile& file) const {
        if (file.path == path_) return true;
        return settings_.defaultFile_.empty() ? equalButForCase(file.name, kDefaultFile)
                                              : file.name == settings_.defaultFile_;
    }

    /// What each file has to offer now: what is in it, else what was last read from it.
    std::vector<LoadedPointer> candidates(std::vector<std::string>& faults) const {
        std::vector<LoadedPointer> offered;
        for (const CertificateFile& file : files_) {
            LoadedPointer loaded;
            try {
                loaded = load(file);
            } catch (const std::system_error& error) {
                faults.push_back(error.what());  // names the file already
            } catch (const std::exception& error) {
                faults.push_back(printable(file.path) + ": " + error.what());
            }
            if (!loaded) loaded = served_.from(file.path);
            if (loaded) offered.push_back(std::move(loaded));
        }
        // Those first that have their names already: nobody may take them.
        std::stable_partition(offered.begin(), offered.end(), [&](const auto& one) { return served_.owns(*one); });
        return offered;
    }

    /// Reads files_, and publishes what is good.
    void read(std::vector<std::string>& faults) {
        listed_ = true;
        Claims claims;
        for (const LoadedPointer& offered : candidates(faults)) {
            std::optional<std::string> conflict = claims.conflict(*offered);
            if (!conflict) {
                claims.take(offered);
                continue;
            }
            faults.push_back(std::move(*conflict));
            const LoadedPointer before = served_.from(offered->path);
            if (before && before != offered && !claims.conflict(*before)) claims.take(before);
        }
        LoadedPointer otherwise;
        bool wanted = !settings_.defaultFile_.empty();
        const auto file = std::find_if(files_.begin(), files_.end(), [&](const auto& one) { return isDefault(one); });
        if (file != files_.end()) {
            otherwise = claims.from(file->path);
            wanted = true;
        } else if (wanted) {
            faults.push_back(printable(path_) + ": there is no file " + quotedPath(settings_.defaultFile_) +
                             ", which is to be the default");
        }
        if (!otherwise && wanted) otherwise = default_;
        if (files_.empty()) faults.push_back(printable(path_) + ": there is no file whose name ends in .pem");
        if (claims.empty()) return;  // all stays
        publish(std::move(claims), std::move(otherwise));
    }

    void publish(Claims claims, LoadedPointer otherwise) {
        ServerNameMap::Entries entries;
        claims.addTo(entries);
        if (otherwise) entries.byDefault(otherwise->options);
        entries.refuseUnknownNames(settings_.refuseUnknownNames_);
        auto next = std::make_shared<const ServerNameMap>(entries);
        if (current_) {
            log::msg("the certificates of " + quotedPath(path_) +
                         " were read again: " + std::to_string(next->names().size()) + " names are served",
                     kLogSystem);
        }
        served_ = std::move(claims);
        default_ = std::move(otherwise);
        const std::lock_guard lock(publishing_);
        current_ = std::move(next);
    }

    const std::string path_;
    const Settings settings_;

    std::mutex reading_;  // held while files are read; guards the next four
    std::vector<CertificateFile> files_;
    bool listed_ = false;  // whether files_ is what was seen last
    Claims served_;
    LoadedPointer default_;

    mutable std::mutex publishing_;  // held for a moment only
    std::shared_ptr<const ServerNameMap> current_;
    std::vector<std::string> faults_;
};

CertificateDirectory::CertificateDirectory(std::string path) : CertificateDirectory(std::move(path), Settings()) {}

CertificateDirectory::CertificateDirectory(std::string path, const Settings& settings)
    : state_(std::make_shared<State>(std::move(path), settings)) {}

bool CertificateDirectory::reload() { return state_->reload(); }

bool CertificateDirectory::reloadIfChanged() { return state_->reloadIfChanged(); }

std::vector<std::string> CertificateDirectory::faults() const { return state_->faults(); }

ServerNameMap CertificateDirectory::current() const { return state_->current(); }

const std::string& CertificateDirectory::path() const noexcept { return state_->path(); }

std::shared_ptr<const ContextFactory> CertificateDirectory::share() const {
    return std::make_shared<CertificateDirectory>(*this);
}

std::unique_ptr<Session> CertificateDirectory::newSession(Role role, const SessionOptions& options) const {
    return current().newSession(role, options);
}

Duration CertificateDirectory::handshakeTimeout() const { return current().handshakeTimeout(); }

Duration CertificateDirectory::closeTimeout() const { return current().closeTimeout(); }

using Settings = CertificateDirectory::Settings;

Settings& Settings::parameters(const CertificateOptions::Parameters& shared) {
    if (shared.privateKey_ || shared.certificate_ || shared.extraCertChain_) {
        throw TypeError("The parameters of a CertificateDirectory have a certificate of their own: it reads them");
    }
    parameters_ = shared;
    return *this;
}

Settings& Settings::defaultFile(std::string name) {
    if (name.empty() || name.find('/') != std::string::npos) {
        throw ValueError("'" + printable(name) + "' cannot be a default: give the name of a file without its folder");
    }
    defaultFile_ = std::move(name);
    return *this;
}

Settings& Settings::refuseUnknownNames(bool refused) {
    refuseUnknownNames_ = refused;
    return *this;
}

Settings& Settings::largestFile(std::size_t size) {
    if (size == 0) throw ValueError("The largest size of a certificate file must not be 0");
    largestFile_ = size;
    return *this;
}

}  // namespace torsion::ssl
