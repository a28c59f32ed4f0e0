#pragma once

/// Tells when a coroutine's locals die: counts those that are alive.
struct Witness {
    explicit Witness(int& count) : count_(&count) { ++*count_; }
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    ~Witness() { --*count_; }
    int* count_;
};
