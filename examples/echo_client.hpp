#pragma once

#include <array>

#include <torsion/examples/conversation.hpp>
#include <torsion/torsion.hpp>

namespace examples {

/// What the echo clients say.
inline constexpr std::array<torsion::BytesView, 3> kEchoLines = {"Hello, world!", "What a fine day it is.", "Bye-bye!"};

/// Says its lines at once, expects them back in order, and closes.
class EchoClient : public torsion::LineReceiver {
public:
    explicit EchoClient(Conversation conversation) : conversation_(std::move(conversation)) {}

    void connectionMade() override {
        for (const torsion::BytesView line : kEchoLines) sendLine(line);
    }

    void lineReceived(torsion::BytesView line) override {
        conversation_.heard(line);
        if (line != kEchoLines.at(echoed_)) {
            const std::string wanted(kEchoLines.at(echoed_));
            conversation_.bad("the echo of \"" + wanted + "\" is \"" + std::string(line) + '"');
            transport().loseConnection();
        } else if (++echoed_ == kEchoLines.size()) {
            conversation_.ok("all lines came back");
            transport().loseConnection();
        }
    }

    void connectionLost(const torsion::Failure& reason) override { conversation_.lost(reason); }

private:
    Conversation conversation_;
    std::size_t echoed_ = 0;
};

}  // namespace examples
