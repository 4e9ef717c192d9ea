#pragma once

// For functions whose loops the compiler vectorizes: compiled for several instruction sets, of
// which the best that the processor has is taken when the library is loaded. By feature, not by
// "arch=": that would take a version only on the one processor that it names.
#if defined(__x86_64__)
#define WF_VECTORIZED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WF_VECTORIZED
#endif
