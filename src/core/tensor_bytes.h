#pragma once

#include <cstdint>

namespace wf {

/// Counts the bytes of CPU tensors that are allocated less those that are freed while it exists, on
/// all threads, in programs that called keep_freed_memory(). One at a time.
class TensorBytes {
 public:
  TensorBytes();
  ~TensorBytes();
  TensorBytes(const TensorBytes&) = delete;
  TensorBytes& operator=(const TensorBytes&) = delete;

  int64_t now() const;
  int64_t peak() const;
};

}  // namespace wf
