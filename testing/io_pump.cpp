#include <torsion/testing/io_pump.hpp>

#include <algorithm>
#include <limits>
#include <vector>

#include <fmt/format.h>

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
    clockRan_ = clock_->passTurn([&] {
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->finish() || moved;
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->send(impatient) || moved;
        for (FakeTransport* end : {client_.get(), server_.get()}) moved = end->receive(impatient) || moved;
    });
    return moved || clockRan_;
}

bool IOPump::pump() { return passTurn(false) || passTurn(true); }

bool IOPump::flush(std::size_t maxTurns) {
    if (maxTurns == 0) throw ValueError("IOPump::flush: at least one turn must be allowed");
    const std::size_t longest =
        maxTurns * std::min<std::size_t>(1000, std::numeric_limits<std::size_t>::max() / maxTurns);
    std::size_t turns = 0;
    for (std::size_t counted = 0; pump();) {
        if (!client_->partial_ && !server_->partial_) ++counted;
        if (++turns > longest || counted > maxTurns) throwRestless(turns, counted);
    }
    return turns != 0;
}

void IOPump::setMaxTurns(std::size_t turns) {
    if (turns == 0) throw ValueError("IOPump: at least one turn must be allowed");
    maxTurns_ = turns;
}

/// Passes three more turns, and tells what happened in them.
void IOPump::throwRestless(std::size_t turns, std::size_t counted) {
    std::string text = fmt::format(
        "IOPump::flush: something still happens after {} turns ({} counted). In the next three:", turns, counted);
    for (int turn = 0; turn < 3; ++turn) {
        std::vector<std::string> client, server;
        client_->recent_ = &client;
        server_->recent_ = &server;
        const std::uint64_t before = client_->delivered_ + server_->delivered_;
        const bool more = pump();
        client_->recent_ = nullptr;
        server_->recent_ = nullptr;
        for (const std::string& event : client) text += "\n  client " + event;
        for (const std::string& event : server) text += "\n  server " + event;
        const std::uint64_t octets = client_->delivered_ + server_->delivered_ - before;
        if (octets != 0) text += fmt::format("\n  {} octets are delivered", octets);
        if (clockRan_) text += "\n  a posted call or a timer runs";
        if (!more) text += "\n  nothing: it has just come to rest, and setMaxTurns() would let it";
    }
    throw RuntimeError(text);
}

void IOPump::advance(Duration amount) {
    clock_->advance(amount);
    flush();
}

void IOPump::setSegmentation(const Segmentation& segmentation) {
    client_->setSegmentation(segmentation);
    server_->setSegmentation(segmentation);
}

void IOPump::setUnbuffered(bool unbuffered) {
    client_->setUnbuffered(unbuffered);
    server_->setUnbuffered(unbuffered);
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
