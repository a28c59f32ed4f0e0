#pragma once

#include <pthread.h>

#include <cstddef>
#include <stdexcept>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TORSION_LARGE_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TORSION_LARGE_FRAMES 1
#endif
#endif

/// Calls @p f on a thread whose stack has 256 KiB, and waits. What grows with a chain's length ends the process there.
/// The sanitizers need more for themselves, and frames that are larger.
template <class F>
void onSmallStack(F f) {
#if defined(TORSION_LARGE_FRAMES)
    constexpr std::size_t kStack = 8U << 20U;
#else
    constexpr std::size_t kStack = 256U << 10U;
#endif
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStack);
    pthread_t thread;
    const int failed = pthread_create(
        &thread, &attributes,
        [](void* function) -> void* {
            (*static_cast<F*>(function))();
            return nullptr;
        },
        &f);
    pthread_attr_destroy(&attributes);
    if (failed != 0) throw std::runtime_error("no thread with a small stack could be made");
    pthread_join(thread, nullptr);
}
