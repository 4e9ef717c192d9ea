#include "data/sources/read_ahead.h"

#include "runtime/log.h"

#include <unistd.h>

#include <algorithm>

namespace wf {

std::vector<std::pair<size_t, size_t>> read_ahead_ranges(size_t size, const CacheOptions& options,
                                                         size_t memory) {
  if (options.mode == CacheMode::no || size == 0) return {};
  // Divided first: the product could leave 64 bits.
  const auto bound = [&](int rank) {
    const size_t world = static_cast<size_t>(options.world), at = static_cast<size_t>(rank);
    return size / world * at + size % world * at / world;
  };
  const size_t begin = bound(options.rank), end = bound(options.rank + 1);
  std::vector<std::pair<size_t, size_t>> ranges{{begin, end - begin}};
  if (options.mode == CacheMode::full) ranges = {{begin, size - begin}, {0, begin}};
  size_t total = 0;
  for (const auto& range : ranges) total += range.second;
  if (total > memory) return {};
  return ranges;
}

ReadAhead::ReadAhead(std::shared_ptr<const MappedFile> file, const CacheOptions& options)
    : ReadAhead(std::vector<std::shared_ptr<const MappedFile>>{std::move(file)}, options) {}

ReadAhead::ReadAhead(std::vector<std::shared_ptr<const MappedFile>> files,
                     const CacheOptions& options)
    : files_(std::move(files)) {
  size_t size = 0;
  for (const auto& file : files_) size += file->bytes().size();
  const auto memory =
      static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto ranges = read_ahead_ranges(size, options, memory);
  if (ranges.empty()) {
    if (options.mode != CacheMode::no && size > 0) {
      log::warning(
          "{}{}: larger than the memory of {} GB, so nothing is read ahead (DATA.CACHE_MODE no "
          "disables this message)",
          files_.front()->path(), files_.size() > 1 ? " …" : "", memory >> 30);
    }
    return;
  }
  thread_ = std::thread([this, ranges] {
    // In chunks, so that the destructor never waits long.
    constexpr size_t kPiece = size_t{8} << 20;
    for (const auto& [begin, length] : ranges) {
      for (size_t at = 0; at < length; at += kPiece) {
        if (stopping_) return;
        will_need(begin + at, std::min(kPiece, length - at));
      }
    }
  });
}

void ReadAhead::will_need(size_t begin, size_t length) const {
  for (const auto& file : files_) {
    const size_t size = file->bytes().size();
    if (begin < size && length > 0) {
      const size_t here = std::min(length, size - begin);
      file->will_need(begin, here);
      begin = 0, length -= here;
    } else if (begin >= size) {
      begin -= size;
    }
  }
}

ReadAhead::~ReadAhead() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace wf
