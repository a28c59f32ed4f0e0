#include <torsion/tls/key_log.hpp>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/failure.hpp>
#include <torsion/core/log.hpp>
#include <torsion/tls/context_state.hpp>

namespace torsion::ssl {

/// One writer, and one lock.
class KeyLog::Sink {
public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;

    void write(std::string_view line) {
        bool first = false;
        std::optional<Failure> failure;
        {
            const std::lock_guard lock(mutex_);
            try {
                put(line);
                return;
            } catch (...) {
                failure = Failure::current();
                first = !std::exchange(failed_, true);
            }
        }
        if (first) log::err(*failure, "The TLS key log lacks lines: one could not be written", "ssl");
    }

private:
    virtual void put(std::string_view line) = 0;

    std::mutex mutex_;
    bool failed_ = false;
};

class KeyLog::File final : public Sink {
public:
    explicit File(const std::string& path)
        : path_(path), descriptor_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)) {
        if (descriptor_ < 0) {
            throw std::system_error(errno, std::generic_category(), "Cannot open the TLS key log " + path);
        }
    }
    ~File() override { ::close(descriptor_); }

private:
    /// In one call, so that the lines of several processes do not mix.
    void put(std::string_view line) override {
        std::array<iovec, 2> parts = {iovec{const_cast<char*>(line.data()), line.size()},
                                      iovec{const_cast<char*>("\n"), 1}};
        ssize_t written = 0;
        do {
            written = ::writev(descriptor_, parts.data(), static_cast<int>(parts.size()));
        } while (written < 0 && errno == EINTR);
        if (written < 0) throw std::system_error(errno, std::generic_category(), "Cannot write to " + path_);
        if (static_cast<std::size_t>(written) != line.size() + 1) {
            throw std::system_error(ENOSPC, std::generic_category(), "Cannot write a whole line to " + path_);
        }
    }

    std::string path_;
    int descriptor_;
};

class KeyLog::Callback final : public Sink {
public:
    explicit Callback(Writer writer) : writer_(std::move(writer)) {}

private:
    void put(std::string_view line) override { writer_(line); }

    Writer writer_;
};

std::shared_ptr<KeyLog::Sink> KeyLog::fileAt(const std::string& path) {
    struct Files {
        std::mutex mutex;
        std::map<std::string, std::weak_ptr<Sink>> byPath;
    };
    static Files& files = *new Files;  // never destroyed: a recipe may be made by another static object's end
    const std::lock_guard lock(files.mutex);
    for (auto file = files.byPath.begin(); file != files.byPath.end();) {
        file = file->second.expired() ? files.byPath.erase(file) : std::next(file);
    }
    std::weak_ptr<Sink>& known = files.byPath[path];
    std::shared_ptr<Sink> sink = known.lock();
    if (!sink) {
        sink = std::make_shared<File>(path);
        known = sink;
    }
    return sink;
}

KeyLog::KeyLog(const std::string& path) : sink_(fileAt(path)) {}

KeyLog::KeyLog(Writer writer) {
    if (!writer) throw ValueError("The function that a TLS key log writes to is empty");
    sink_ = std::make_shared<Callback>(std::move(writer));
}

std::optional<KeyLog> KeyLog::fromEnvironment() {
    const char* path = ::secure_getenv("SSLKEYLOGFILE");
    if (path == nullptr || *path == '\0') return std::nullopt;
    try {
        return KeyLog(std::string(path));
    } catch (const std::system_error& error) {
        log::warn(std::string(error.what()) + ", which SSLKEYLOGFILE names: no secrets are written", "ssl");
        return std::nullopt;
    }
}

void KeyLog::write(std::string_view line) const noexcept {
    try {
        sink_->write(line);
    } catch (...) {
        return;  // not even the failure could be logged
    }
}

namespace {

void noteSecret(const SSL* connection, const char* line) noexcept {
    const ContextState* state = ContextState::find(SSL_get_SSL_CTX(connection));
    if (state != nullptr && state->keyLog) state->keyLog->write(line);
}

}  // namespace

void logKeys(SSL_CTX* context, const KeyLog& log) {
    ContextState::of(context).keyLog = log;
    SSL_CTX_set_keylog_callback(context, noteSecret);
    log::warn("TLS secrets are written to a key log: whoever reads it can read the connections", "ssl");
}

}  // namespace torsion::ssl
