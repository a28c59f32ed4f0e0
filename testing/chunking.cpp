#include <torsion/testing/chunking.hpp>

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include <torsion/testing/string_transport.hpp>

namespace torsion::testing {

namespace {

using Cuts = std::vector<std::size_t>;  // where pieces end, ascending, without the end of the input

std::vector<BytesView> cut(BytesView input, const Cuts& cuts) {
    std::vector<BytesView> pieces;
    std::size_t begin = 0;
    for (const std::size_t end : cuts) {
        pieces.push_back(input.substr(begin, end - begin));
        begin = end;
    }
    if (begin < input.size()) pieces.push_back(input.substr(begin));
    return pieces;
}

std::string join(const std::vector<std::string>& events) {
    std::string text;
    for (const std::string& event : events) {
        text += "\n    " + (event.size() > 200 ? event.substr(0, 200) + "..." : event);
    }
    return text;
}

class Law {
public:
    Law(BytesView input, const ChunkingSubject& subject)
        : input_(input), subject_(subject), expected_(subject({input})) {}

    void check(const Cuts& cuts, const std::string& how) const {
        const std::vector<std::string> events = subject_(cut(input_, cuts));
        if (events == expected_) return;
        std::string places;
        for (const std::size_t place : cuts) {
            if (places.size() > 200) {
                places += " ...";
                break;
            }
            places += ' ' + std::to_string(place);
        }
        throw ChunkingViolation(
            fmt::format("{}, at{}\n  in one piece:{}\n  cut:{}", how, places, join(expected_), join(events)));
    }

private:
    BytesView input_;
    const ChunkingSubject& subject_;
    std::vector<std::string> expected_;
};

/// An allocation of its own for each piece, so that a sanitizer sees who reads beyond it or keeps it.
void feed(Protocol& protocol, BytesView piece) {
    const std::vector<char> copy(piece.begin(), piece.end());
    protocol.dataReceived(BytesView(copy.data(), copy.size()));
}

}  // namespace

void EventRecorder::data(const std::string& name, BytesView octets) {
    if (events_.empty() || streamEvent_ != events_.size() || streamName_ != name) {
        events_.push_back(name + ": ");
        streamEvent_ = events_.size();
        streamName_ = name;
    }
    events_.back().append(octets);
}

void checkChunkingLaw(BytesView input, const ChunkingSubject& subject, const ChunkingOptions& options) {
    const std::size_t size = input.size();
    if (size < 2) return;
    const Law law(input, subject);
    if (size <= options.everyCutUpTo && size < 31) {
        for (std::uint32_t mask = 1; mask < (1U << (size - 1)); ++mask) {
            Cuts cuts;
            for (std::size_t place = 1; place < size; ++place) {
                if ((mask >> (place - 1) & 1U) != 0) cuts.push_back(place);
            }
            law.check(cuts, "one of all cuts");
        }
        return;
    }
    Cuts all;
    for (std::size_t place = 1; place < size; ++place) all.push_back(place);
    law.check(all, "octet by octet");
    for (std::size_t place = 1; place < size && place <= options.cutsInTwo; ++place) law.check({place}, "in two");
    std::mt19937 engine(options.seed);
    for (std::size_t run = 0; run < options.randomCuts; ++run) {
        const std::size_t pieces = 2 + engine() % std::min<std::size_t>(size - 1, 16);
        Cuts cuts;
        for (std::size_t i = 1; i < pieces; ++i) cuts.push_back(1 + engine() % (size - 1));
        std::sort(cuts.begin(), cuts.end());
        cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
        law.check(cuts, fmt::format("random cut {} from seed {}", run, options.seed));
    }
}

void checkProtocolChunkingLaw(BytesView input, const RecordingProtocol& make, const ChunkingOptions& options) {
    const auto subject = [&make](const std::vector<BytesView>& pieces) {
        task::Clock clock;
        const auto recorder = std::make_shared<EventRecorder>();
        const auto transport = std::make_shared<StringTransportWithDisconnection>(clock);
        const std::shared_ptr<Protocol> protocol = make(recorder);
        transport->setProtocol(protocol);
        protocol->makeConnection(transport);
        for (const BytesView piece : pieces) {
            clock.advance(Duration::zero());
            const bool reads = transport->producerState() == StringTransport::ProducerState::producing;
            if (transport->disconnecting() || !transport->connected() || !reads) break;
            try {
                feed(*protocol, piece);
            } catch (...) {
                transport->lose(Failure::current());
                break;
            }
        }
        clock.advance(Duration::zero());
        std::vector<std::string> events = recorder->events();
        events.push_back("written: " + transport->value());
        if (transport->aborted()) {
            events.emplace_back("aborts");
        } else if (transport->failure()) {
            events.push_back("fails: " + transport->failure()->getErrorMessage());
        } else if (transport->disconnecting()) {
            events.emplace_back("closes");
        } else if (!transport->connected()) {
            events.emplace_back("throws");
        }
        // The circle of protocol and transport ends here.
        protocol->deliverConnectionLost(failureOf<ConnectionDone>());
        return events;
    };
    checkChunkingLaw(input, subject, options);
}

}  // namespace torsion::testing
