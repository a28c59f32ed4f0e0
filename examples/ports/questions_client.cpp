/// Asks questions of one line each without waiting for one answer before the next question.

#include <deque>
#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

class Refused : public Error {
public:
    using Error::Error;
};

/// The oldest question without an answer is the one that the next line answers.
class Questioner : public LineReceiver {
public:
    Deferred<Bytes> ask(const Bytes& question) {
        if (reason_) return defer::fail<Bytes>(*reason_);
        Deferred<Bytes> answer;
        waiting_.push_back(answer);
        sendLine(question);
        return answer;
    }

    void lineReceived(BytesView line) override {
        auto answer = popLeft();
        if (line.starts_with("= ")) {
            answer.callback(Bytes(line.substr(2)));
        } else {
            answer.errback(Refused(Bytes(line.substr(2))));
        }
    }

    void connectionLost(const Failure& reason) override {
        reason_ = reason;
        while (!waiting_.empty()) popLeft().errback(reason);
    }

private:
    Deferred<Bytes> popLeft() {
        if (waiting_.empty()) throw RuntimeError("an answer came that nobody waits for");
        auto answer = std::move(waiting_.front());
        waiting_.pop_front();
        return answer;
    }

    std::deque<Deferred<Bytes>> waiting_;
    std::optional<Failure> reason_;
};

struct Options {
    int port = 8124;
    int timeout = 3000;
    std::size_t window = 8;
    std::vector<std::string> questions;
};

Deferred<void> converse(Reactor& reactor, Options options) {
    auto endpoint = endpoints::clientFromString(reactor, "tcp:127.0.0.1:" + std::to_string(options.port));
    auto questioner = co_await endpoint->connect(Factory::forProtocol<Questioner>());
    defer::DeferredSemaphore window(options.window);

    const auto ask = [&](const std::string& question) {
        return questioner->ask(question).addTimeout(std::chrono::milliseconds(options.timeout), reactor);
    };

    std::vector<Deferred<Bytes>> answers;
    for (const auto& question : options.questions) answers.push_back(window.run(ask, question));
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto& question = options.questions[i];
        try {
            auto answer = co_await std::move(answers[i]);
            std::cout << question << ": " << answer << std::endl;
        } catch (const Refused& error) {
            std::cout << question << ": refused: " << error.what() << std::endl;
        } catch (const defer::TimeoutError&) {
            std::cout << question << ": timed out" << std::endl;
        } catch (const ConnectionClosed&) {
            std::cout << question << ": lost" << std::endl;
        }
    }
    questioner->transport().loseConnection();
}

int main(int argc, char** argv) {
    Options options;
    CLI::App parser("Asks questions.");
    parser.add_option("--port", options.port, "where the server listens");
    parser.add_option("--timeout", options.timeout, "how long to wait for an answer, in ms");
    parser.add_option("--window", options.window, "how many questions may wait for an answer");
    parser.add_option("questions", options.questions, "such as \"add 1 2\" or \"wait 500\"")->required();
    CLI11_PARSE(parser, argc, argv);
    return task::react([&](Reactor& reactor) { return converse(reactor, options); });
}
