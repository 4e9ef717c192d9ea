#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace wf {

/// A whole file in the address space, read-only. Its pages live in the kernel's page cache, so all
/// processes of a machine that map it share one copy.
class MappedFile {
 public:
  /// Throws wf::Error when `path` cannot be read or is not a plain file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /// False once somebody has cut the file: what is gone may not be touched (SIGBUS).
  bool whole() const;

  /// Asks the kernel to begin reading [begin, begin + length); returns before they are there.
  void will_need(size_t begin, size_t length) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

/// What is read into the page cache ahead of its use. no: nothing, pages come when touched; part:
/// this process's share, 1 / world of the file; full: all of it, beginning with that share.
enum class CacheMode { no, part, full };

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
