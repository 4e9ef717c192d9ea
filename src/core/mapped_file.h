#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wf {

/// A file mapped into the address space. Its pages are read when touched and are in the kernel's
/// page cache, so all processes of a machine that map it share one copy.
class MappedFile {
 public:
  enum class Access {
    read,
    copy_on_write,  ///< writable: written pages are copied, the file does not change (MAP_PRIVATE)
  };

  /// Throws wf::Error when `path` cannot be read or is not a plain file.
  explicit MappedFile(std::string path, Access access = Access::read);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  /// Only for Access::copy_on_write.
  char* data() const { return data_; }
  const std::string& path() const { return path_; }

  /// True once the file became shorter: the missing part must not be touched (SIGBUS).
  bool whole() const;

  /// Asks the kernel to start reading [begin, begin + length); does not wait.
  void will_need(size_t begin, size_t length) const;

  /// checksum() of a part of the file on disk, read through a small buffer: the mapping does not
  /// become resident.
  uint32_t checksum_of(size_t begin, size_t length) const;

  /// Releases the memory of the complete pages inside [at, at + bytes). Written data are lost;
  /// later reads come from the file again.
  void release(const void* at, size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace wf
