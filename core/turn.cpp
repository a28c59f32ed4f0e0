#include <torsion/core/turn.hpp>

#include <torsion/core/failure.hpp>
#include <torsion/core/log.hpp>

namespace torsion {

namespace {
constexpr std::size_t kSpareCount = 8;
constexpr std::size_t kSpareCapacity = 256U << 10;
constexpr std::size_t kLeastCapacity = 1024;
}  // namespace

EndOfTurn::~EndOfTurn() {
    if (turn_ != nullptr) turn_->remove(*this);
}

Turn::Turn(ReactorTime& clock) : clock_(clock), readBuffer_(new char[kReadSize]) { spare_.reserve(kSpareCount); }

Turn::~Turn() { clear(); }

void Turn::atEnd(EndOfTurn& work, unsigned depth) {
    if (work.turn_ != nullptr) return;
    if (byDepth_.size() <= depth) byDepth_.resize(depth + 1);
    work.turn_ = this;
    work.depth_ = depth;
    work.place_ = static_cast<std::uint32_t>(byDepth_[depth].size());
    byDepth_[depth].push_back(&work);
    ++scheduled_;
}

void Turn::remove(EndOfTurn& work) noexcept {
    byDepth_[work.depth_][work.place_] = nullptr;  // a hole: the others keep their places
    work.turn_ = nullptr;
    if (--scheduled_ != 0) return;
    for (std::vector<EndOfTurn*>& list : byDepth_) list.clear();  // holes only
}

void Turn::later(Function<void()> function) { later_.push_back(std::move(function)); }

void Turn::deferDeletion(std::shared_ptr<void> object) { dying_.push_back(std::move(object)); }

void Turn::begin() {
    if (later_.empty()) return;
    std::vector<Function<void()>> functions = std::move(functions_);  // a nested pass makes one of its own
    functions.swap(later_);
    for (Function<void()>& function : functions) {
        try {
            function();
        } catch (...) {
            log::err(Failure::current(), "in a call posted to the next turn");
        }
    }
    functions.clear();
    functions_ = std::move(functions);
}

void Turn::end() noexcept {
    if (scheduled_ != 0) runScheduled();
    while (!dying_.empty()) {
        std::vector<std::shared_ptr<void>> round = std::move(round_);  // what dies may end another turn
        round.swap(dying_);
        round.clear();
        round_ = std::move(round);
    }
}

void Turn::runScheduled() noexcept {
    // One at a time, always from the deepest list that has any: what runs may schedule or destroy any other.
    while (scheduled_ != 0) {
        std::size_t depth = byDepth_.size();
        while (byDepth_[depth - 1].empty()) --depth;
        EndOfTurn* work = byDepth_[depth - 1].back();
        byDepth_[depth - 1].pop_back();
        if (work == nullptr) continue;
        work->turn_ = nullptr;
        --scheduled_;
        work->endOfTurn();
    }
    for (std::vector<EndOfTurn*>& list : byDepth_) list.clear();
}

void Turn::clear() noexcept {
    for (std::vector<EndOfTurn*>& list : byDepth_) {
        for (EndOfTurn* work : list) {
            if (work != nullptr) work->turn_ = nullptr;
        }
        list.clear();
    }
    scheduled_ = 0;
    while (!later_.empty() || !dying_.empty()) {
        std::vector<Function<void()>> functions;
        functions.swap(later_);
        std::vector<std::shared_ptr<void>> round;
        round.swap(dying_);
    }
}

Bytes Turn::takeBytes() {
    if (spare_.empty()) {
        Bytes bytes;
        bytes.reserve(kLeastCapacity);  // or it would not be worth keeping afterwards
        return bytes;
    }
    Bytes bytes = std::move(spare_.back());
    spare_.pop_back();
    return bytes;
}

void Turn::giveBytes(Bytes&& bytes) noexcept {
    if (spare_.size() >= kSpareCount || bytes.capacity() > kSpareCapacity || bytes.capacity() < kLeastCapacity) return;
    bytes.clear();
    spare_.push_back(std::move(bytes));
}

Turn::Lease::Lease(Turn& turn) : turn_(turn) {
    if (turn_.blocks_.empty()) {
        block_.reset(new char[kBlockSize]);
    } else {
        block_ = std::move(turn_.blocks_.back());
        turn_.blocks_.pop_back();
    }
}

Turn::Lease::~Lease() { turn_.blocks_.push_back(std::move(block_)); }

}  // namespace torsion
