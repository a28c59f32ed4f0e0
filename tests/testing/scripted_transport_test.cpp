#include <doctest/doctest.h>

#include <memory>
#include <string>

#include <torsion/core/abilities.hpp>
#include <torsion/core/error.hpp>
#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/accumulating_protocol.hpp>
#include <torsion/testing/logged_errors.hpp>
#include <torsion/testing/scripted_transport.hpp>

using namespace torsion;
using namespace std::chrono_literals;
using testing::AccumulatingProtocol;
using testing::ScriptedTransport;
using testing::ScriptMismatch;

namespace {

/// Says who it is when it is greeted, and goes.
class Visitor : public LineReceiver {
public:
    bool polite = true;
    std::unique_ptr<Failure> reason;
    void lineReceived(BytesView line) override {
        if (line.substr(0, 3) == "220") {
            sendLine("HELO me");
        } else if (line.substr(0, 3) == "250") {
            if (polite) sendLine("QUIT");
            transport().loseConnection();
        } else if (line == "throw") {
            throw ValueError("a line that it does not like");
        }
    }
    void connectionLost(const Failure& why) override { reason = std::make_unique<Failure>(why); }
};

std::string complaint(const ScriptedTransport& script) {
    try {
        script.verify();
    } catch (const ScriptMismatch& mismatch) {
        return mismatch.what();
    }
    return "nothing";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a scripted conversation is played to its end") {
    ScriptedTransport script;
    script.deliver("220 ready\r\n").expectWrite("HELO me\r\n").thenDeliver("250 hello\r\n");
    script.expectWrite("QUIT\r\n").expectClose();
    const auto visitor = std::make_shared<Visitor>();
    script.connect(visitor);
    script.verify();
    CHECK(script.done());
    CHECK(visitor->reason->check<ConnectionDone>());
    CHECK(script.value() == "HELO me\r\nQUIT\r\n");
}

TEST_CASE("what counts are the octets, not how they are written") {
    ScriptedTransport script;
    script.expectWrite("abc").expectWrite("d").expectWrite("ef");
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    script.connect(protocol);
    for (const char* piece : {"a", "bcde", "f"}) protocol->transport().write(piece);
    script.verify();
}

TEST_CASE("a write that differs is told with its place, and nothing more is delivered") {
    ScriptedTransport script;
    script.expectWrite("MAIL FROM\r\n").thenDeliver("250 ok\r\n");
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    script.connect(protocol);
    protocol->transport().write("MA");
    protocol->transport().write("IN\r\n");
    script.play();
    CHECK(protocol->data.empty());
    CHECK(!script.done());
    const std::string text = complaint(script);
    CHECK(has(text, "at step 1 of 2: at octet 3 of the write there came \"N\\r\\n\" instead of \"L FROM\\r\\n\""));
    CHECK(has(text, "  1 expected the protocol writes \"MAIL FROM\\r\\n\""));
    CHECK(has(text, "  2 ahead    the protocol gets \"250 ok\\r\\n\""));
    CHECK(has(text, "all that it wrote, 6 octets: \"MAIN\\r\\n\""));
}

TEST_CASE("what does not come, and what comes too much, is told") {
    ScriptedTransport silent;
    silent.expectWrite("hello").expectClose();
    const auto first = std::make_shared<AccumulatingProtocol>();
    silent.connect(first);
    CHECK(has(complaint(silent), "step 1 of 2 did not come"));
    first->transport().write("hel");
    CHECK(has(complaint(silent), "step 1 of 2 did not come beyond octet 3"));

    ScriptedTransport brief;
    brief.expectWrite("hello");
    const auto second = std::make_shared<AccumulatingProtocol>();
    brief.connect(second);
    second->transport().write("hello, you");
    CHECK(has(complaint(brief), "after the last of 1 steps: a write of \", you\""));

    ScriptedTransport open;
    open.expectWrite("hello");
    const auto third = std::make_shared<AccumulatingProtocol>();
    open.connect(third);
    third->transport().loseConnection();
    CHECK(has(complaint(open), "at step 1 of 1: loseConnection instead"));
}

TEST_CASE("a write or a read fails where the script says so") {
    ScriptedTransport script;
    script.expectWrite("one").failWrite(ConnectionLost("the wire was cut"));
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    script.connect(protocol);
    protocol->transport().write("onetwo");
    script.play();
    script.verify();
    CHECK(protocol->closedReason->check<ConnectionLost>());
    CHECK(protocol->closedReason->getErrorMessage().find("the wire was cut") != std::string::npos);

    ScriptedTransport reading;
    reading.deliver("x").failRead(TimeoutError());
    const auto reader = std::make_shared<AccumulatingProtocol>();
    reading.connect(reader);
    reading.verify();
    CHECK(reader->data == "x");
    CHECK(reader->closedReason->check<TimeoutError>());
}

TEST_CASE("a script waits for the clock, and for a paused protocol") {
    ScriptedTransport script;
    script.wait(5s).deliver("late");
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    script.connect(protocol);
    script.advance(4s);
    CHECK(protocol->data.empty());
    protocol->transport().pauseProducing();
    script.advance(1s);
    CHECK(protocol->data.empty());
    protocol->transport().resumeProducing();
    script.play();
    CHECK(protocol->data == "late");
    script.verify();
}

TEST_CASE("an abort is not a close") {
    ScriptedTransport script;
    script.expectAbort();
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    script.connect(protocol);
    protocol->transport().abortConnection();
    script.play();
    script.verify();
    CHECK(protocol->closedReason->check<ConnectionAborted>());
    ScriptedTransport other;
    other.expectClose();
    const auto rude = std::make_shared<AccumulatingProtocol>();
    other.connect(rude);
    rude->transport().abortConnection();
    CHECK(has(complaint(other), "abortConnection instead"));
}

TEST_CASE("a protocol that throws loses its scripted connection, and the script tells (TR-13)") {
    testing::LoggedErrors errors;
    ScriptedTransport script;
    script.deliver("throw\r\n").expectWrite("answer");
    const auto visitor = std::make_shared<Visitor>();
    script.connect(visitor);
    CHECK(visitor->reason->check<ValueError>());
    CHECK(has(complaint(script), "the protocol threw [Failure instance: torsion::ValueError: a line that"));
    CHECK(errors.flush<ValueError>().size() == 1);
}

TEST_CASE("the end of a script loses the connection; a script refuses what makes no sense") {
    const auto protocol = std::make_shared<AccumulatingProtocol>();
    {
        ScriptedTransport script;
        script.connect(protocol);
        CHECK(!protocol->closed);
        CHECK_THROWS_AS(script.connect(protocol), RuntimeError);
        CHECK_THROWS_AS(script.expectWrite(""), ValueError);
        CHECK_THROWS_AS(script.deliver(""), ValueError);
        CHECK_THROWS_AS(script.wait(0s), ValueError);
    }
    CHECK(protocol->closedReason->check<ConnectionLost>());
}
