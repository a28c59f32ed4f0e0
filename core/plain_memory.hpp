#pragma once

/// Defined where every block shall come from operator new alone: so AddressSanitizer and ThreadSanitizer see each one's
/// life.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TORSION_PLAIN_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TORSION_PLAIN_MEMORY 1
#endif
#endif
