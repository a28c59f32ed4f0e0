#pragma once

#include "measure.hpp"

/// Warming up, then measuring, then over: which of them it is, by the wall clock.
class Schedule {
public:
    Schedule(double warmup, double seconds) : warmup_(warmup), seconds_(seconds) {}

    void start(Nanoseconds now) {
        begin_ = now + static_cast<Nanoseconds>(warmup_ * 1e9);
        end_ = begin_ + static_cast<Nanoseconds>(seconds_ * 1e9);
    }
    /// Measuring has begun just now, which may be later than planned: it lasts as long nevertheless.
    void measureFrom(Nanoseconds now) { end_ = now + static_cast<Nanoseconds>(seconds_ * 1e9); }
    bool started() const { return end_ != 0; }
    bool begun(Nanoseconds now) const { return started() && now >= begin_; }
    bool over(Nanoseconds now) const { return started() && now >= end_; }

private:
    double warmup_, seconds_;
    Nanoseconds begin_ = 0, end_ = 0;
};
