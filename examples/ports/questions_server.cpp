/// Answers questions of one line with one line each, in the order in which they came, however long one takes.

#include <algorithm>
#include <iostream>
#include <iterator>
#include <numeric>
#include <sstream>

#include <CLI/CLI.hpp>
#include <torsion/torsion.hpp>

using namespace torsion;

using Words = std::vector<std::string>;

Words split(BytesView line) {
    std::istringstream words{Bytes(line)};
    return Words(std::istream_iterator<std::string>(words), {});
}

long number(const std::string& word) {
    const bool digits = word.find_first_not_of("0123456789") == word.npos;
    if (!digits || word.size() > 9) throw ValueError(word + " is no number");
    return std::stol(word);
}

/// What "add 1 2" comes to, or "wait 500" after as many milliseconds.
Deferred<Bytes> answerTo(Reactor& reactor, Words words) {
    if (words.empty()) throw ValueError("no such question");
    std::vector<long> numbers;
    std::transform(words.begin() + 1, words.end(), std::back_inserter(numbers), number);
    if (words[0] == "add") co_return std::to_string(std::accumulate(numbers.begin(), numbers.end(), 0L));
    if (words[0] == "wait" && numbers.size() == 1) {
        co_await task::deferLater(reactor, std::chrono::milliseconds(numbers[0]));
        co_return "done";
    }
    throw ValueError("no such question");
}

/// An answer is "= " and what was asked for, or "! " and why there is none; "bye" ends the connection.
class Questions : public LineReceiver {
public:
    explicit Questions(Reactor& reactor) : reactor_(reactor) {}

    void lineReceived(BytesView line) override {
        if (line == "bye") {
            transport().loseConnection();
            return;
        }
        pauseProducing();  // what is asked meanwhile waits
        scope()
            .watch(answerTo(reactor_, split(line)))
            .addCallbacks([](const Bytes& answer) { return "= " + answer; },
                          [](const Failure& failure) { return "! " + failure.getErrorMessage(); })
            .addCallback([this](const Bytes& text) { answer(text); });
    }

private:
    void answer(const Bytes& line) {
        sendLine(line);
        resumeProducing();
    }

    Reactor& reactor_;
};

Deferred<void> serve(Reactor& reactor, int portNumber) {
    auto endpoint = endpoints::serverFromString(reactor, "tcp:" + std::to_string(portNumber) + ":interface=127.0.0.1");
    auto factory = Factory::forProtocol<Questions>(std::ref(reactor));
    auto port = co_await endpoint->listen(factory);
    std::cout << "LISTENING " << port->getHost().port() << std::endl;
    co_await task::forever();
}

int main(int argc, char** argv) {
    int port = 8124;
    CLI::App parser("Answers questions.");
    parser.add_option("--port", port, "where to listen");
    CLI11_PARSE(parser, argc, argv);
    return task::react([&](Reactor& reactor) { return serve(reactor, port); });
}
