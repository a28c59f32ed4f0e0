#include <torsion/testing/io_pump.hpp>

#include <torsion/core/error.hpp>

namespace torsion::testing {

IOPump::IOPump(std::shared_ptr<Protocol> client, std::shared_ptr<Protocol> server, std::shared_ptr<task::Clock> clock)
    : clock_(std::move(clock)) {
    const Address clientAddress = IPv4Address("192.168.1.1", 54321);
    const Address serverAddress = IPv4Address("10.0.0.1", 12345);
    client_ = std::make_shared<FakeTransport>(clock_, clientAddress, serverAddress);
    server_ = std::make_shared<FakeTransport>(clock_, serverAddress, clientAddress);
    client_->other_ = server_.get();
    server_->other_ = client_.get();
    clock_->passTurn([&] {
        server_->start(server_, std::move(server));
        client_->start(client_, std::move(client));
    });
}

IOPump::~IOPump() {
    client_->lose(failureOf<ConnectionLost>());
    server_->lose(failureOf<ConnectionLost>());
    client_->finish();
    server_->finish();
    client_->other_ = nullptr;  // protocols may keep their transports
    server_->other_ = nullptr;
    if (!clock_->inTurn()) clock_->turn().end();
    // The clock may be shared. Alone, it must let go of what is posted: that may hold the transports, which hold the
    // clock.
    if (clock_.use_count() <= 3) clock_->clear();
}

bool IOPump::passTurn(bool impatient) {
    bool moved = false;
    const bool ran = clock_->passTurn([&] {
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->finish() || moved;
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->send() || moved;
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->receive(impatient) || moved;
    });
    return moved || ran;
}

bool IOPump::pump() { return passTurn(false) || passTurn(true); }

bool IOPump::flush(std::size_t maxTurns) {
    for (std::size_t turns = 0; turns <= maxTurns; ++turns) {
        if (!pump()) return turns != 0;
    }
    throw RuntimeError("IOPump::flush: something still happens after " + std::to_string(maxTurns) + " turns");
}

void IOPump::advance(Duration amount) {
    clock_->advance(amount);
    flush();
}

void IOPump::setSegmentation(const Segmentation& segmentation) {
    client_->setSegmentation(segmentation);
    server_->setSegmentation(segmentation);
}

void IOPump::breakConnection(const Failure& reason) {
    client_->breakConnection(reason);
    server_->breakConnection(reason);
}

void IOPump::setTrace(const std::function<void(const std::string&)>& trace) {
    const auto named = [&trace](const std::string& name) -> std::function<void(const std::string&)> {
        if (!trace) return {};
        return [trace, name](const std::string& event) { trace(name + " " + event); };
    };
    client_->setTrace(named("client"));
    server_->setTrace(named("server"));
}

void IOPump::traceTo(std::FILE* stream) {
    setTrace([stream](const std::string& line) {
        std::fputs((line + '\n').c_str(), stream);
        std::fflush(stream);
    });
}

}  // namespace torsion::testing
