#pragma once

#include <cstddef>
#include <string>

namespace wf {

/// A file that appears under its name complete or not at all: written under a temporary name in
/// the same folder, flushed to the disk, then renamed by commit(). Without commit() nothing stays.
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

/// Makes `to` a second name of the file `from`, atomically. False where the file system has no hard
/// links or anything else is in the way; `to` is then as it was.
bool link_file(const std::string& from, const std::string& to);

}  // namespace wf
