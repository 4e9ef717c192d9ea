#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wf {

/// A whole file in the address space. Its pages are read when touched and live in the kernel's page
/// cache, so all processes of a machine that map it share one copy.
class MappedFile {
 public:
  enum class Access {
    read,
    own_copy,  ///< may be written: a page is copied then, and the file stays as it is
  };

  /// Throws wf::Error when `path` cannot be read or is not a plain file.
  explicit MappedFile(std::string path, Access access = Access::read);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  /// For Access::own_copy alone.
  char* data() const { return data_; }
  const std::string& path() const { return path_; }

  /// False once somebody has cut the file: what is gone may not be touched (SIGBUS).
  bool whole() const;

  /// Asks the kernel to begin reading [begin, begin + length); returns before they are there.
  void will_need(size_t begin, size_t length) const;

  /// checksum() of a part of the file as it is on the disk, through a small buffer: the map does
  /// not become resident.
  uint32_t checksum_of(size_t begin, size_t length) const;

  /// Gives the memory of whole pages inside [at, at + bytes) back. What was written there is lost;
  /// what is read again comes from the file.
  void release(const void* at, size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace wf
