#include <torsion/reactor/event_loop.hpp>

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace torsion::detail {

namespace {

struct ConfigDeleter {
    void operator()(event_config* config) const noexcept { event_config_free(config); }
};

}  // namespace

EventLoop::EventLoop() {
    const std::unique_ptr<event_config, ConfigDeleter> config(event_config_new());
    if (!config) throw std::bad_alloc();
    // One thread needs no locks, and who has no timers in libevent needs no time from it. Its own timers are too coarse
    // without EVENT_BASE_FLAG_PRECISE_TIMER, and with it cost a timerfd_settime each turn.
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_NO_CACHE_TIME | EVENT_BASE_FLAG_NOLOCK);
    event_config_require_features(config.get(), EV_FEATURE_ET);  // epoll has it, select and poll do not
    base_.reset(event_base_new_with_config(config.get()));
    if (!base_) {
        throw std::runtime_error(
            "libevent has no way to wait for events that tells edges; is epoll turned off by EVENT_NOEPOLL?");
    }
    wakeDescriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    timerDescriptor_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (wakeDescriptor_ < 0 || timerDescriptor_ < 0) {
        const int error = errno;
        close();
        throw std::system_error(error, std::generic_category(), wakeDescriptor_ < 0 ? "eventfd" : "timerfd_create");
    }
    // Edge-triggered, so that neither ever has to be read: each write, and each expiry, is a new edge. Always
    // registered: a base without events returns from its loop at once.
    event_assign(
        &wakeEvent_, base_.get(), wakeDescriptor_, EV_READ | EV_ET | EV_PERSIST, [](evutil_socket_t, short, void*) {},
        nullptr);
    event_assign(
        &timerEvent_, base_.get(), timerDescriptor_, EV_READ | EV_ET | EV_PERSIST,
        [](evutil_socket_t, short, void* loop) { static_cast<EventLoop*>(loop)->armed_.reset(); }, this);
    if (event_add(&wakeEvent_, nullptr) != 0 || event_add(&timerEvent_, nullptr) != 0) {
        const int error = errno;
        event_del(&wakeEvent_);
        close();
        throw std::system_error(error, std::generic_category(), "epoll_ctl");
    }
}

EventLoop::~EventLoop() {
    removeSignals();
    event_del(&timerEvent_);
    event_del(&wakeEvent_);
    close();
}

void EventLoop::close() noexcept {
    if (wakeDescriptor_ >= 0) ::close(wakeDescriptor_);
    if (timerDescriptor_ >= 0) ::close(timerDescriptor_);
}

Duration EventLoop::now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

void EventLoop::arm(Duration deadline) {
    const Duration when = std::max(deadline, Duration(1));  // zero would disarm it
    itimerspec timer{};
    timer.it_value.tv_sec = static_cast<time_t>(when / std::chrono::seconds(1));
    timer.it_value.tv_nsec = static_cast<long>((when % std::chrono::seconds(1)).count());
    timerfd_settime(timerDescriptor_, TFD_TIMER_ABSTIME, &timer, nullptr);
    armed_ = deadline;
}

void EventLoop::wait(std::optional<Duration> deadline, bool busy) {
    // Timers are mostly put off, and not run: then it is cheaper to wake up once in vain than to set it each time.
    if (!busy && deadline && (!armed_ || *deadline < *armed_)) arm(*deadline);
    event_base_loop(base_.get(), busy ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
}

void EventLoop::wakeUp() noexcept {
    const std::uint64_t one = 1;
    while (write(wakeDescriptor_, &one, sizeof one) < 0 && errno == EINTR) {
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
