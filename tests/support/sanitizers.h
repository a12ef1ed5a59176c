#pragma once
// TEST_SANITIZED: 1 if a sanitizer watches, which takes memory and time that a test may count.
#ifdef __has_feature  // clang's way to say what GCC says by macros
#define TEST_HAS_FEATURE(name) __has_feature(name)
#else
#define TEST_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || TEST_HAS_FEATURE(address_sanitizer) || \
    TEST_HAS_FEATURE(thread_sanitizer)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif
