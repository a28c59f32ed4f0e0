#pragma once

#include <optional>
#include <string>

#include <torsion/examples/conversation.hpp>
#include <torsion/torsion.hpp>

namespace examples {

/// Lines as questions and answers, for a coroutine: `auto answer = co_await dialogue->ask("how are you?");`
class Dialogue : public torsion::LineReceiver {
public:
    explicit Dialogue(Conversation conversation) : conversation_(std::move(conversation)) {}

    /// Sends @p question. @return the next line that comes; fails with the reason if the connection goes instead
    torsion::Deferred<std::string> ask(torsion::BytesView question) {
        answer_.emplace();
        sendLine(question);
        return *answer_;
    }

    void lineReceived(torsion::BytesView line) override {
        if (!answer_) {
            conversation_.bad("the line \"" + std::string(line) + "\" answers nothing");
            transport().abortConnection();
            return;
        }
        conversation_.heard(line);
        const auto answer = *std::exchange(answer_, std::nullopt);
        answer.callback(std::string(line));
    }

    void connectionLost(const torsion::Failure& reason) override {
        conversation_.lost(reason);
        const auto answer = std::exchange(answer_, std::nullopt);
        if (answer) answer->errback(reason);
    }

    Conversation& conversation() noexcept { return conversation_; }

private:
    Conversation conversation_;
    std::optional<torsion::Deferred<std::string>> answer_;
};

}  // namespace examples
