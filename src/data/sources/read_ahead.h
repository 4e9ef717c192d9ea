#pragma once

#include "weightformer/config/enums.h"

#include "core/mapped_file.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace wf {

struct CacheOptions {
  CacheMode mode = CacheMode::no;
  int rank = 0;
  int world = 1;
};

/// The ranges (begin, length) of a file of `size` bytes that `options` ask for, in reading order;
/// none when they are more than `memory` bytes, as the first would be gone when the last arrive.
std::vector<std::pair<size_t, size_t>> read_ahead_ranges(size_t size, const CacheOptions& options,
                                                         size_t memory);

/// A thread that asks for those ranges piece by piece, until it is done or destroyed.
class ReadAhead {
 public:
  ReadAhead(std::shared_ptr<const MappedFile> file, const CacheOptions& options);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace wf
