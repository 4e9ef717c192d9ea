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

/// The ranges (begin, length) of a file of `size` bytes to read ahead by `options`, in reading
/// order; none when they exceed `memory` bytes, as the first pages would be dropped before the last
/// arrive.
std::vector<std::pair<size_t, size_t>> read_ahead_ranges(size_t size, const CacheOptions& options,
                                                         size_t memory);

/// A thread that reads those ranges of one file, or of several as if they were one, chunk by chunk,
/// until it is done or destroyed.
class ReadAhead {
 public:
  ReadAhead(std::shared_ptr<const MappedFile> file, const CacheOptions& options);
  ReadAhead(std::vector<std::shared_ptr<const MappedFile>> files, const CacheOptions& options);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

 private:
  void will_need(size_t begin, size_t length) const;

  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace wf
