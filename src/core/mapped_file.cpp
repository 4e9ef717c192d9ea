#include "core/mapped_file.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace wf {
namespace {

size_t page_size() {
  static const auto size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

MappedFile::MappedFile(std::string path, Access access) : path_(std::move(path)) {
  // Non-blocking, so that a named pipe is reported instead of waited for.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  WF_CHECK(descriptor_ >= 0, path_, ": cannot read: ", std::strerror(errno));
  struct stat info {};
  const char* problem = nullptr;
  if (::fstat(descriptor_, &info) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(info.st_mode)) {
    problem = "not a plain file";
  } else if (info.st_size > 0) {
    size_ = static_cast<size_t>(info.st_size);
    const bool own = access == Access::copy_on_write;
    void* at = ::mmap(nullptr, size_, own ? PROT_READ | PROT_WRITE : PROT_READ,
                      own ? MAP_PRIVATE : MAP_SHARED, descriptor_, 0);
    if (at == MAP_FAILED) {
      problem = std::strerror(errno);
    } else {
      data_ = static_cast<char*>(at);
    }
  }
  if (problem) {
    ::close(descriptor_);
    throw Error(str(path_, ": cannot read: ", problem));
  }
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
  ::close(descriptor_);
}

bool MappedFile::whole() const {
  struct stat info {};
  return ::fstat(descriptor_, &info) == 0 && static_cast<size_t>(info.st_size) >= size_;
}

void MappedFile::will_need(size_t begin, size_t length) const {
  if (length == 0 || begin >= size_) return;
  const size_t from = begin / page_size() * page_size();
  const size_t to = begin + std::min(length, size_ - begin);
  ::madvise(data_ + from, to - from, MADV_WILLNEED);  // advice: may fail
}

uint32_t MappedFile::checksum_of(size_t begin, size_t length) const {
  // Fits into the second-level cache: the checksum reads what the kernel just wrote.
  std::vector<char> buffer(std::min(length, size_t{256} << 10));
  uint32_t sum = 0;
  while (length > 0) {
    const auto got = ::pread(descriptor_, buffer.data(), std::min(length, buffer.size()),
                             static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    WF_CHECK(got > 0, path_,
             ": cannot read: ", got < 0 ? std::strerror(errno) : "it became shorter");
    sum = checksum({buffer.data(), static_cast<size_t>(got)}, sum);
    begin += static_cast<size_t>(got);
    length -= static_cast<size_t>(got);
  }
  return sum;
}

void MappedFile::release(const void* at, size_t bytes) const {
  const auto begin = reinterpret_cast<uintptr_t>(at), end = begin + bytes;
  const auto map_begin = reinterpret_cast<uintptr_t>(data_);
  if (begin < map_begin || end > map_begin + size_) return;  // a copy
  const auto page = page_size();
  const auto first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace wf
