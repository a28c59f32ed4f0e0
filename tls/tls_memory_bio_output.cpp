// How what is written becomes records: it is gathered, up to a whole one or the end of the turn, and encrypted.

#include <string>
#include <utility>

#include <torsion/core/error.hpp>
#include <torsion/core/loan.hpp>
#include <torsion/tls/tls_memory_bio_protocol.hpp>

namespace torsion {

namespace {

/// How many records are put together before the transport below gets them: 64 KiB of them.
constexpr std::size_t kFlight = 4;
/// More than what encryption adds to a record.
constexpr std::size_t kRoomForOverhead = 128;
/// Room for a few small writes; what has less is not kept for the next one (Turn::giveBytes).
constexpr std::size_t kSmallWrites = 2048;

}  // namespace

/// While one is there, what is written waits.
class TLSMemoryBIOProtocol::Encrypting {
public:
    explicit Encrypting(TLSMemoryBIOProtocol& layer) noexcept : layer_(layer) { layer_.encrypting_ = true; }
    Encrypting(const Encrypting&) = delete;
    Encrypting& operator=(const Encrypting&) = delete;
    ~Encrypting() {
        layer_.encrypting_ = false;
        layer_.flight_ = nullptr;
    }

private:
    TLSMemoryBIOProtocol& layer_;
};

void TLSMemoryBIOProtocol::writeOwned(Bytes&& data) {
    if (!takesWrites()) return;  // after the loss there may be no turn any more
    writeView(data);
    turn().giveBytes(std::move(data));
}

void TLSMemoryBIOProtocol::writeView(BytesView data) {
    if (!takesWrites() || data.empty()) return;
    if (waitingHere() >= freeUpTo_ && tooMuchWaits()) return;
    traffic_.plaintextWritten += data.size();
    // What goes back as it came takes the short way: the end of its delivery sees to it.
    if (waitingHere() + data.size() >= ssl::Engine::kRecordSize || !lend(data)) queue(data);
}

/// Whether more waits than may, and if so, gives up.
bool TLSMemoryBIOProtocol::tooMuchWaits() {
    const std::size_t below = waitingBelow();
    const std::size_t waiting = waitingHere() + below;
    if (waiting <= outputLimit_) {
        freeUpTo_ = outputLimit_ - below;
        return false;
    }
    fail(OutputLimitExceeded(std::to_string(waiting) + " octets wait, the limit is " + std::to_string(outputLimit_)));
    transport().abortConnection();
    return true;
}

/// Puts @p data behind what waits without a copy, if it is part of what is being delivered and stands where the loan
/// before it ends.
inline bool TLSMemoryBIOProtocol::lend(BytesView data) noexcept {
    return detail::liesWithin(data, delivered_) && detail::extendLoan(lent_, data);
}

void TLSMemoryBIOProtocol::keepLent() {
    if (!lent_.empty()) gather(std::exchange(lent_, {}));
}

void TLSMemoryBIOProtocol::dropWaiting() noexcept {
    pending_.clear();
    lent_ = {};
}

void TLSMemoryBIOProtocol::queue(BytesView data) {
    if (lend(data)) {
        data = std::exchange(lent_, {});
    } else {
        keepLent();
    }
    const std::size_t record = ssl::Engine::kRecordSize;
    if (pending_.size() + data.size() < record || !mayEncrypt()) {
        gather(data);
        schedule();
        return;
    }
    // Whole records go at once, the last part of a write waits for more.
    Bytes begun = std::exchange(pending_, Bytes());
    if (!begun.empty()) {
        const BytesView filling = data.substr(0, (record - begun.size() % record) % record);
        begun.append(filling);
        data.remove_prefix(filling.size());
    }
    const std::size_t whole = data.size() / record * record;
    gather(data.substr(whole));  // first, so that what a producer writes when it is told to pause comes behind it
    {
        const Encrypting encrypting(*this);
        encrypt(begun);
        encrypt(data.substr(0, whole));  // from where it is
    }
    turn().giveBytes(std::move(begun));
    if (!alive()) return;
    if (pending_.size() >= record) flush();
    if (!pending_.empty()) schedule();
}

/// Keeps @p data for a record that is not full yet.
void TLSMemoryBIOProtocol::gather(BytesView data) {
    if (data.empty()) return;
    if (pending_.empty() && pending_.capacity() < kSmallWrites) [[unlikely]] {
        pending_ = turn().takeBytes();
        pending_.reserve(kSmallWrites);
    }
    pending_.append(data);
}

void TLSMemoryBIOProtocol::schedule() {
    if (!processing_) turn().atEnd(*this, depth_);
}

void TLSMemoryBIOProtocol::endOfTurn() noexcept {
    flush();
    finishClosing();
}

void TLSMemoryBIOProtocol::flush() {
    keepLent();
    while (alive() && !pending_.empty() && mayEncrypt()) {
        Bytes data = std::exchange(pending_, Bytes());  // a producer that is told to pause may write
        {
            const Encrypting encrypting(*this);
            encrypt(data);
        }
        turn().giveBytes(std::move(data));
    }
}

/// Within an Encrypting. The records of a large write go to the transport below together: if that is TLS, too, it fills
/// its own records with them, and if it is a socket they need not be copied again.
void TLSMemoryBIOProtocol::encrypt(BytesView data) {
    const std::size_t record = ssl::Engine::kRecordSize;
    while (alive() && !data.empty()) {
        const BytesView part = data.substr(0, kFlight * record);
        data.remove_prefix(part.size());
        Bytes flight;
        if (part.size() > record) {
            flight = turn().takeBytes();
            flight.reserve(part.size() + (kFlight + 1) * kRoomForOverhead);
            flight_ = &flight;
        }
        const ssl::Engine::Outcome outcome = engine_.write(part);
        flight_ = nullptr;
        if (!flight.empty()) transport().write(std::move(flight));
        if (outcome != ssl::Engine::Outcome::ok) fail(engine_.failure());
    }
}

void TLSMemoryBIOProtocol::ciphertext(BytesView data) {
    traffic_.ciphertextWritten += data.size();
    freeUpTo_ = 0;
    if (flight_ != nullptr) {
        flight_->append(data);
    } else {
        transport().write(data);
    }
}

}  // namespace torsion
