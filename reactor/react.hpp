#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <torsion/core/deferred.hpp>
#include <torsion/core/function.hpp>
#include <torsion/core/reactor.hpp>

/// twisted.internet.task.react: the frame of a whole program.
namespace torsion::task {

/// The command line without the program's name.
class Arguments : public std::vector<std::string> {
public:
    Arguments() = default;
    Arguments(int argc, char** argv) : std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc) {}
};

/// Thrown by main, or anything that it awaits, to end the program with @p status and without a word (SystemExit).
class Exit : public std::exception {
public:
    explicit Exit(int status) noexcept : status_(status) {}
    int status() const noexcept { return status_; }
    const char* what() const noexcept override { return "exit"; }

private:
    int status_;
};

/// Runs a reactor of its own until the Deferred of @p main fires, or a signal comes; then unwinds main if it still
/// waits.
/// @return the status to leave the process with: 0, what an Exit said, or 1 for any other failure, which is logged
int react(Function<Deferred<void>(Reactor&)> main);

/// The same for a main that takes the command line.
template <class Main>
int react(Main main, int argc, char** argv) {
    return react([main = std::move(main), arguments = Arguments(argc, argv)](Reactor& reactor) mutable {
        return main(reactor, std::move(arguments));
    });
}

/// A Deferred that never fires: a server's main awaits it, until a signal ends the program. Only under react().
/// @throws RuntimeError elsewhere
Deferred<void> forever();

}  // namespace torsion::task
