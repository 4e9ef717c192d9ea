#pragma once

#include "weightformer/core/check.h"

#include <cstddef>
#include <string>

namespace wf {

/// No space is left on the disk, or in the user's quota.
class DiskFull : public Error {
 public:
  using Error::Error;
};

/// Writes a file atomically: under a temporary name in the same directory, flushed to the disk,
/// then renamed by commit(). Without commit() the temporary file is removed.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const std::string& doing) const;

  std::string path_, temporary_;
  int descriptor_ = -1;
};

/// Replaces `path` by `text`, atomically.
void write_text_file(const std::string& path, const std::string& text);

/// Makes `to` a second name of the file `from`, atomically. Returns false and leaves `to` unchanged
/// if the file system has no hard links, or on any other failure.
bool link_file(const std::string& from, const std::string& to);

}  // namespace wf
