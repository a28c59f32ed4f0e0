/// Looks into a file at an interval, until the file says "stop" or is gone.

#include <iostream>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class Job {
public:
    Job(Reactor& reactor, std::string path, Duration work) : reactor_(reactor), path_(std::move(path)), work_(work) {}

    Deferred<void> start(Duration interval) { return loop_.start(interval); }

private:
    Deferred<void> look(std::int64_t beats) {
        const std::string content = readFile(path_);
        const std::string text = content.substr(0, content.find('\n'));
        std::cout << beats << ": " << text << std::endl;
        if (text == "stop") loop_.stop();
        return task::deferLater(reactor_, work_);  // the next beat that counts is one after this
    }

    Reactor& reactor_;
    std::string path_;
    Duration work_;
    task::LoopingCall loop_ =
        task::LoopingCall::withCount(reactor_, [this](std::int64_t beats) { return look(beats); });
};

struct Options {
    int every = 1000;
    int work = 0;
    std::string path;
};

Deferred<void> run(Reactor& reactor, Options options) {
    Job job(reactor, options.path, std::chrono::milliseconds(options.work));
    try {
        co_await job.start(std::chrono::milliseconds(options.every));
    } catch (const std::system_error&) {
        std::cout << "failed" << std::endl;
        log::err(Failure::current(), "the job has failed");
        throw task::Exit(1);
    }
}

int main(int argc, char** argv) {
    Options options;
    CLI::App parser("Looks into a file at an interval.");
    parser.add_option("--every", options.every, "the interval, in ms");
    parser.add_option("--work", options.work, "how long one look takes, in ms");
    parser.add_option("path", options.path, "the file")->required();
    CLI11_PARSE(parser, argc, argv);
    return task::react([&](Reactor& reactor) { return run(reactor, options); });
}
