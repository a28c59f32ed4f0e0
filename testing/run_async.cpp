#include <torsion/testing/run_async.hpp>

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <torsion/core/defer.hpp>

namespace torsion::testing {

namespace {

/// How many turns what closes has for it.
constexpr int kSettlingTurns = 50;

/// What is shared with callbacks that may come late.
struct Run {
    Deferred<void> result;
    bool fired = false;
    bool timedOut = false;
    std::optional<Failure> failure;
};

void begin(const std::shared_ptr<Run>& run, AsyncBody& body) {
    run->result = defer::maybeDeferred([&body] { return body(); });
    if (!run->result) {
        run->fired = true;
        return;
    }
    run->result.addBoth([run](defer::Result<void> result) {
        run->fired = true;
        if (!result.ok()) run->failure = result.failure();
    });
}

void timeOut(Run& run, const std::string& why) {
    if (std::exchange(run.timedOut, true)) return;
    if (run.result && !run.fired) run.result.cancel();
    run.failure = TestTimeout(why);
}

std::string inSeconds(Duration duration) {
    return fmt::format("{:.3f} s", std::chrono::duration<double>(duration).count());
}

void demandLimit(Duration limit) {
    if (limit <= Duration::zero()) throw ValueError("a test's time limit must be positive");
}

std::string addressOf(int descriptor, decltype(&getsockname) ask) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (ask(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    const Address address = Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
    return address.kind() == Address::Kind::none ? std::string() : address.str();
}

struct Descriptor {
    int number;
    std::string kind;  ///< tells sockets of the same number apart
};

std::vector<Descriptor> descriptors() {
    std::vector<Descriptor> found;
    DIR* const folder = opendir("/proc/self/fd");
    if (folder == nullptr) return found;
    while (const dirent* const entry = readdir(folder)) {
        const int number = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number == dirfd(folder)) continue;
        std::array<char, 256> target{};
        const ssize_t length = readlinkat(dirfd(folder), entry->d_name, target.data(), target.size());
        if (length > 0) found.push_back({number, std::string(target.data(), static_cast<std::size_t>(length))});
    }
    closedir(folder);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    return found;
}

std::string describe(const Descriptor& descriptor) {
    std::string text = fmt::format("{}: {}", descriptor.number, descriptor.kind);
    const std::string host = addressOf(descriptor.number, &getsockname);
    const std::string peer = addressOf(descriptor.number, &getpeername);
    if (!host.empty()) text += " of " + host;
    if (!peer.empty()) text += " with " + peer;
    return text;
}

std::vector<Descriptor> newSince(const std::vector<Descriptor>& before) {
    std::vector<Descriptor> fresh = descriptors();
    std::erase_if(fresh, [&before](const Descriptor& one) {
        return std::any_of(before.begin(), before.end(),
                           [&one](const Descriptor& old) { return old.number == one.number && old.kind == one.kind; });
    });
    return fresh;
}

std::vector<std::string> leftOf(Reactor& reactor, const std::vector<Descriptor>& before) {
    std::vector<std::string> left;
    for (DelayedCall& call : reactor.getDelayedCalls()) {
        if (!call.active()) continue;
        left.push_back("a timer that is due in " + inSeconds(call.getTime() - reactor.seconds()));
    }
    for (const Descriptor& one : newSince(before)) left.push_back("descriptor " + describe(one));
    return left;
}

void finish(AsyncOutcome& outcome, Run& run, LoggedErrors& errors) {
    outcome.failure = std::exchange(run.failure, std::nullopt);
    run.result = Deferred<void>();  // what it leaves unhandled is logged now
    outcome.loggedErrors = errors.entries();
}

void lookForConnections(ReactorTime& reactor, const std::shared_ptr<DelayedCall>& timer,
                        std::vector<std::shared_ptr<Protocol>> protocols, const Deferred<void>& done) {
    std::erase_if(protocols, [](const std::shared_ptr<Protocol>& one) { return !one->connected(); });
    if (protocols.empty()) {
        done.callback();
        return;
    }
    *timer = reactor.callLater(std::chrono::milliseconds(10),
                               [&reactor, timer, done, left = std::move(protocols)]() mutable {
                                   lookForConnections(reactor, timer, std::move(left), done);
                               });
}

void raise(const AsyncOutcome& outcome) {
    if (outcome.failure) outcome.failure->raise();
    if (!outcome.ok()) throw DirtyReactorError(outcome.complaint());
}

}  // namespace

std::string AsyncOutcome::complaint() const {
    std::string text;
    if (!leftBehind.empty()) text += "the test has left something behind:";
    for (const std::string& line : leftBehind) text += "\n  " + line;
    if (!loggedErrors.empty()) {
        text += (text.empty() ? "" : "\n");
        text += "errors were logged; those that the test expects it takes with flushLoggedErrors<Type>():";
    }
    for (const LoggedErrors::Entry& entry : loggedErrors)
        text += "\n  " + entry.why + ": " + entry.failure.typeName() + ": " + entry.failure.getErrorMessage();
    return text;
}

AsyncOutcome observeAsync(Reactor& reactor, AsyncBody body, Duration limit) {
    if (auto* const memory = dynamic_cast<MemoryReactor*>(&reactor))
        return observeAsync(*memory, std::move(body), limit);
    demandLimit(limit);
    LoggedErrors errors;
    const std::vector<Descriptor> before = descriptors();
    const auto run = std::make_shared<Run>();
    AsyncOutcome outcome;
    DelayedCall watchdog;
    DelayedCall look;
    int turns = 0;
    // Looks once a turn: a test's callbacks never find the loop left from under them.
    Function<void()> settle = [&] {
        if (++turns < kSettlingTurns && !leftOf(reactor, before).empty()) {
            look = reactor.callLater(Duration::zero(), [&] { settle(); });
            return;
        }
        reactor.crash();
    };
    const auto over = [&] {
        if (watchdog.active()) watchdog.cancel();
        look = reactor.callLater(Duration::zero(), [&] { settle(); });
    };
    watchdog = reactor.callLater(limit, [&] {
        timeOut(*run, "the test has not ended after " + inSeconds(limit));
        over();
    });
    reactor.callWhenRunning([&] {
        begin(run, body);
        if (!run->result) return over();
        run->result.addBoth([run, &over](defer::Result<void>) {
            if (!run->timedOut) over();
        });
    });
    reactor.run(false);
    const bool stopped = !run->fired && !run->failure;
    run->timedOut = true;  // whatever fires it from now on is not heard any more
    if (look.active()) look.cancel();
    if (watchdog.active()) watchdog.cancel();  // the test has left the loop itself
    if (stopped) run->failure = TestTimeout("the reactor was stopped before the test has ended");
    outcome.leftBehind = leftOf(reactor, before);
    for (DelayedCall& call : reactor.getDelayedCalls()) {
        if (call.active()) call.cancel();
    }
    finish(outcome, *run, errors);
    return outcome;
}

AsyncOutcome observeAsync(MemoryReactor& reactor, AsyncBody body, Duration limit) {
    demandLimit(limit);
    LoggedErrors errors;
    const auto run = std::make_shared<Run>();
    AsyncOutcome outcome;
    const Duration end = reactor.seconds() + limit;
    reactor.start();
    begin(run, body);
    for (reactor.flush(); !run->fired; reactor.flush()) {
        const std::optional<Duration> next = reactor.nextTimer();
        if (!next) {
            timeOut(*run, "the test waits for something that never comes: no timer runs, and nothing is under way");
        } else if (*next > end) {
            timeOut(*run, "the test has not ended after " + inSeconds(limit) + " of the reactor's time");
        } else {
            reactor.clock().advance(std::max(*next - reactor.seconds(), Duration::zero()));
            continue;
        }
        reactor.flush();
        break;
    }
    outcome.leftBehind = reactor.leftBehind();
    finish(outcome, *run, errors);
    return outcome;
}

void runAsync(Reactor& reactor, AsyncBody body, Duration limit) {
    raise(observeAsync(reactor, std::move(body), limit));
}

void runAsync(MemoryReactor& reactor, AsyncBody body, Duration limit) {
    raise(observeAsync(reactor, std::move(body), limit));
}

Deferred<void> waitUntilAllDisconnected(ReactorTime& reactor, std::vector<std::shared_ptr<Protocol>> protocols) {
    const auto timer = std::make_shared<DelayedCall>();
    Deferred<void> done([timer](Deferred<void>&) {
        if (timer->active()) timer->cancel();
    });
    lookForConnections(reactor, timer, std::move(protocols), done);
    return done;
}

std::vector<std::string> openDescriptors() {
    std::vector<std::string> lines;
    for (const Descriptor& one : descriptors()) lines.push_back(describe(one));
    return lines;
}

}  // namespace torsion::testing
