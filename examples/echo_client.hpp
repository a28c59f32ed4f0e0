#pragma once

#include <array>

#include <torsion/examples/conversation.hpp>
#include <torsion/torsion.hpp>

namespace examples {

/// What the echo clients say.
inline constexpr std::array<torsion::BytesView, 3> kEchoLines = {"Hello, world!", "What a fine day it is.", "Bye-bye!"};

/// Says its lines at once, as often as it is told, expects them back in order, and closes.
class EchoClient : public torsion::LineReceiver {
public:
    explicit EchoClient(Conversation conversation, int times = 1)
        : conversation_(std::move(conversation)), times_(static_cast<std::size_t>(times)) {}

    void connectionMade() override {
        for (std::size_t i = 0; i < times_; ++i) {
            for (const torsion::BytesView line : kEchoLines) sendLine(line);
        }
    }

    void lineReceived(torsion::BytesView line) override {
        conversation_.heard(line);
        const torsion::BytesView expected = kEchoLines.at(echoed_ % kEchoLines.size());
        if (line != expected) {
            const std::string wanted(expected);
            conversation_.bad("the echo of \"" + wanted + "\" is \"" + std::string(line) + '"');
            transport().loseConnection();
        } else if (++echoed_ == times_ * kEchoLines.size()) {
            conversation_.ok("all lines came back");
            transport().loseConnection();
        }
    }

    void connectionLost(const torsion::Failure& reason) override { conversation_.lost(reason); }

private:
    Conversation conversation_;
    std::size_t times_;
    std::size_t echoed_ = 0;
};

}  // namespace examples
