#include "core/atomic_file.h"

#include "weightformer/core/check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace wf {

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".tmp" + std::to_string(::getpid())) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("cannot create");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(const void* data, size_t bytes) {
  // Linux writes at most 2 GiB a call.
  constexpr size_t kMost = size_t{1} << 30;
  for (auto* at = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t written = ::write(descriptor_, at, std::min(bytes, kMost));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("cannot write");
    at += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("cannot flush");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot rename the new");
  ::close(descriptor_);
  descriptor_ = -1;
  // The rename itself is durable only once the folder is flushed.
  const auto folder = std::filesystem::path(path_).parent_path();
  const int folder_descriptor =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor >= 0) {
    ::fsync(folder_descriptor);
    ::close(folder_descriptor);
  }
}

void AtomicFile::fail(const std::string& doing) const {
  throw Error(str(path_, ": ", doing, " file: ", std::strerror(errno)));
}

void write_text_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace wf
