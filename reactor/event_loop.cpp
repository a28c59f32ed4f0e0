#include <torsion/reactor/event_loop.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace torsion::detail {

namespace {

/// Longer waits overflow in some kernels (DC-8).
constexpr Duration kLongestWait = std::chrono::seconds(2147483);

struct ConfigDeleter {
    void operator()(event_config* config) const noexcept { event_config_free(config); }
};

}  // namespace

EventLoop::EventLoop() {
    const std::unique_ptr<event_config, ConfigDeleter> config(event_config_new());
    if (!config) throw std::bad_alloc();
    // Without the precise timer libevent is up to 5 ms late; its locks are of no use to one thread.
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK);
    base_.reset(event_base_new_with_config(config.get()));
    if (!base_) throw std::runtime_error("libevent found no way to wait for events");
    wakeDescriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeDescriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    // Always registered: a base without events returns from its loop at once.
    event_assign(&wakeEvent_, base_.get(), wakeDescriptor_, EV_READ | EV_PERSIST, &EventLoop::onWakeUp, this);
    event_add(&wakeEvent_, nullptr);
    evtimer_assign(
        &timerEvent_, base_.get(),
        [](evutil_socket_t, short, void* loop) { static_cast<EventLoop*>(loop)->armed_.reset(); }, this);
}

EventLoop::~EventLoop() {
    removeSignals();
    event_del(&timerEvent_);
    event_del(&wakeEvent_);
    close(wakeDescriptor_);
}

Duration EventLoop::now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

void EventLoop::wait(std::optional<Duration> deadline, bool busy) {
    if (!busy && deadline != armed_) {
        if (deadline) {
            const Duration left = std::clamp(*deadline - now(), Duration::zero(), kLongestWait);
            // Rounded up, or the loop would spin through the last microsecond.
            const auto microseconds = std::chrono::ceil<std::chrono::microseconds>(left).count();
            timeval timeout{};
            timeout.tv_sec = static_cast<time_t>(microseconds / 1000000);
            timeout.tv_usec = static_cast<suseconds_t>(microseconds % 1000000);
            evtimer_add(&timerEvent_, &timeout);
        } else {
            evtimer_del(&timerEvent_);
        }
        armed_ = deadline;
    }
    event_base_loop(base_.get(), busy ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
}

void EventLoop::wakeUp() noexcept {
    const std::uint64_t one = 1;
    while (write(wakeDescriptor_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void EventLoop::onWakeUp(evutil_socket_t descriptor, short, void*) {
    std::uint64_t count = 0;
    while (read(descriptor, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

void EventLoop::addSignal(int number, Function<void()> handler) {
    auto signal = std::make_unique<Signal>();
    signal->handler = std::move(handler);
    evsignal_assign(
        &signal->native, base_.get(), number,
        [](evutil_socket_t, short, void* self) { static_cast<Signal*>(self)->handler(); }, signal.get());
    evsignal_add(&signal->native, nullptr);
    signals_.push_back(std::move(signal));
}

void EventLoop::removeSignals() {
    for (const auto& signal : signals_) evsignal_del(&signal->native);
    signals_.clear();
}

}  // namespace torsion::detail
