/// An application of lines that puts layers of TLS on and takes them off, over an onion; and a peer with an onion of
/// its own, which keeps to the protocol as the input likes.

#include <memory>

#include <torsion/protocols/line_receiver.hpp>
#include <torsion/testing/io_pump.hpp>
#include <torsion/tests/fuzz/fuzz.hpp>
#include <torsion/tls/onion_protocol.hpp>

namespace torsion::fuzz {

namespace {

constexpr int kMostSteps = 100;
constexpr unsigned kDeepest = 3;

/// Counts the callbacks of one end, and sees that they come in order.
class Diary : public OnionListener {
public:
    void nowMade() { require(++made_ == 1, "connectionMade came twice"); }
    void nowData(BytesView data) {
        require(made_ == 1 && lost_ == 0, "data came before connectionMade or after connectionLost");
        require(!left, "data came after loseConnection");
        require(!data.empty(), "empty data came");
    }
    void nowLost(const Failure& reason) {
        require(made_ == 1 && ++lost_ == 1, "connectionLost came twice, or before connectionMade");
        require(!reason.getErrorMessage().empty(), "a reason without words");
    }
    void layerStarted(unsigned depth) override {
        require(lost_ == 0, "layerStarted came after connectionLost");
        require(depth == up_ + 1, "a layer started that is not the next one");
        up_ = depth;
    }
    void layerStopped(unsigned depth) override {
        require(lost_ == 0, "layerStopped came after connectionLost");
        require(depth == up_, "a layer stopped that is not the innermost");
        --up_;
    }

    /// Whatever becomes of @p operation, something must, and once.
    void follow(Deferred<void> operation) {
        ++begun_;
        operation.addCallbacks([this] { ++ended_; }, [this](const Failure&) { ++ended_; });
    }

    void over() const {
        require(made_ == 1 && lost_ == 1, "connectionLost did not come");
        require(begun_ == ended_, "a Deferred of startTLS or stopTLS has not fired");
    }

    bool lost() const noexcept { return lost_ > 0; }

    bool left = false;

private:
    int made_ = 0, lost_ = 0, begun_ = 0, ended_ = 0;
    unsigned up_ = 0;
};

/// PUSH, POP, QUIT, and an echo.
class LineServer : public LineReceiver, public Diary {
public:
    void connectionMade() override { nowMade(); }
    void dataReceived(BytesView data) override {
        nowData(data);
        LineReceiver::dataReceived(data);
    }
    void lineReceived(BytesView line) override {
        OnionTransport& onion = transport().as<OnionTransport>();
        if (line == "PUSH" && onion.depth() < kDeepest) {
            sendLine("READY");
            follow(onion.startTLS(serverOptions(ssl::TLSVersion::TLSv1_3), ssl::Role::server));
        } else if (line == "POP" && onion.depth() > 0) {
            sendLine("BYE");
            follow(onion.stopTLS());
        } else if (line == "QUIT") {
            left = true;
            transport().loseConnection();
        } else {
            sendLine(line);
        }
    }
    void connectionLost(const Failure& reason) override { nowLost(reason); }
};

class Client : public Protocol, public Diary {
public:
    void connectionMade() override { nowMade(); }
    void dataReceived(BytesView data) override { nowData(data); }
    void connectionLost(const Failure& reason) override { nowLost(reason); }
};

/// Counts what it hears as a push producer.
class Writer : public Producer {
public:
    void pauseProducing() override { require(!stopped, "pauseProducing came after stopProducing"); }
    void resumeProducing() override { require(!stopped, "resumeProducing came after stopProducing"); }
    void stopProducing() override {
        require(!stopped, "stopProducing came twice");
        stopped = true;
    }
    bool stopped = false;
};

class Connection {
public:
    Connection()
        : serverOnion_(std::make_shared<OnionProtocol>(nullptr, server_)),
          clientOnion_(std::make_shared<OnionProtocol>(nullptr, client_)),
          pump_(clientOnion_, serverOnion_) {}

    void step(Input& input) {
        const std::uint8_t what = input.octet();
        const bool atServer = (what & 1U) != 0;
        OnionProtocol& onion = atServer ? *serverOnion_ : *clientOnion_;
        Diary& diary = atServer ? static_cast<Diary&>(*server_) : *client_;
        switch (what >> 1U & 15U) {
            default: pump_.pump(); break;
            case 1: pump_.flush(); break;
            case 2: push(); break;
            case 3: pop(); break;
            case 4: start(onion, diary, atServer ? ssl::Role::server : ssl::Role::client, {}); break;
            case 5: diary.follow(onion.stopTLS()); break;
            case 6: onion.write(input.take(1 + input.upTo(63))); break;
            case 7: onion.write(Bytes((1 + input.upTo(63)) * 1024, 'x')); break;
            case 8: inject(atServer, input.take(1 + input.upTo(63))); break;
            case 9: lose(onion, diary, input.octet()); break;
            case 10: input.octet() % 2 == 0 ? onion.pauseProducing() : onion.resumeProducing(); break;
            case 11: produce(onion, input.octet()); break;
            case 12: cut(input.octet()); break;
            case 13: pump_.advance(std::chrono::seconds(input.octet())); break;
            case 14:
                start(onion, diary, atServer ? ssl::Role::client : ssl::Role::server, input.take(input.upTo(16)));
                break;
            case 15: client_->transport().write(atServer ? BytesView("PUSH\r\nPUSH\r\n") : "POP\r\nQUIT\r\n"); break;
        }
    }

    void finish() {
        pump_.flush();
        static_cast<void>(clientOnion_->layers());
        pump_.breakConnection();
        pump_.flush();
        server_->over();
        client_->over();
    }

private:
    void push() {
        if (clientOnion_->depth() >= kDeepest) return;
        client_->transport().write("PUSH\r\n");
        pump_.flush();
        if (client_->lost()) return;
        start(*clientOnion_, *client_, ssl::Role::client, {});
    }
    void pop() {
        client_->transport().write("POP\r\n");
        pump_.flush();
        if (!client_->lost()) client_->follow(clientOnion_->stopTLS());
    }
    static void start(OnionProtocol& onion, Diary& diary, ssl::Role role, BytesView leftover) {
        if (onion.depth() >= kDeepest) return;
        const bool server = role == ssl::Role::server;
        diary.follow(server ? onion.startTLS(serverOptions(ssl::TLSVersion::TLSv1_2), role, leftover)
                            : onion.startTLS(clientOptions(), role, leftover));
    }
    /// To the end at the server or the client, in the clear, past the other end's onion.
    void inject(bool toServer, BytesView octets) {
        toServer ? pump_.client().write(octets) : pump_.server().write(octets);
    }
    static void lose(OnionProtocol& onion, Diary& diary, std::uint8_t how) {
        switch (how % 4) {
            case 0: onion.loseConnection(); break;
            case 1: onion.abortConnection(); break;
            case 2: onion.failConnection(ConnectionLost("the input says so")); break;
            default: onion.loseWriteConnection(); return;
        }
        diary.left = true;
    }
    void produce(OnionProtocol& onion, std::uint8_t how) {
        if (how % 2 == 0) {
            onion.unregisterProducer();
            return;
        }
        try {
            onion.registerProducer(std::make_shared<Writer>(), true);
        } catch (const RuntimeError&) {
            // There is one already.
        }
    }
    void cut(std::uint8_t how) {
        const auto segmentation = how == 0 ? testing::segmentation::whole() : testing::segmentation::atMost(how);
        pump_.setSegmentation(segmentation);
    }

    std::shared_ptr<LineServer> server_ = std::make_shared<LineServer>();
    std::shared_ptr<Client> client_ = std::make_shared<Client>();
    std::shared_ptr<OnionProtocol> serverOnion_, clientOnion_;
    testing::IOPump pump_;
};

}  // namespace

/// The input: steps.
void run(BytesView octets) {
    Input input(octets);
    Connection connection;
    for (int steps = 0; steps < kMostSteps && !input.empty(); ++steps) connection.step(input);
    connection.finish();
}

std::vector<Bytes> seeds() {
    const auto step = [](int what, int side) { return Bytes(1, static_cast<char>(what << 1 | side)); };
    const Bytes flush = step(1, 0);
    const Bytes push = step(2, 0) + flush;
    const Bytes pop = step(3, 0) + flush;
    const Bytes say = step(6, 0) + "\3hi\r\n" + flush;
    return {
        push + say + push + say + pop + say + pop + say + step(9, 0) + Bytes(1, '\0') + flush,
        step(12, 0) + "\7" + push + push + push + say + step(9, 1) + Bytes(1, '\0') + flush,
        push + step(4, 0) + step(4, 1) + flush + step(5, 1) + flush + step(9, 0) + "\1",
        push + step(8, 1) + "\5\x17\3\3\1\1" + flush,
        push + push + step(11, 0) + "\1" + step(7, 0) + "\x20" + step(3, 0) + flush + step(9, 0) + "\3" + flush,
        push + step(10, 1) + Bytes(1, '\0') + say + step(5, 0) + flush + step(10, 1) + "\1" + flush,
        push + step(15, 0) + flush,
        step(15, 1) + flush + step(13, 0) + "\x40",
        push + push + step(5, 0) + step(5, 0) + step(6, 0) + "\4POP\r\n" + flush + step(9, 1) + "\2" + flush,
        step(14, 0) + "\5hello" + step(14, 1) + Bytes(1, '\0') + flush,
    };
}

}  // namespace torsion::fuzz
