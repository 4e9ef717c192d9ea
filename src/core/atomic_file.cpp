#include "core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace wf {
namespace {

// A rename itself is durable only once the directory is flushed.
void flush_directory_of(const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  const int descriptor =
      ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + ".tmp" + std::to_string(::getpid())) {
  // As root, the rename would replace a device such as /dev/null by a file.
  std::error_code ignored;
  const auto status = std::filesystem::status(path_, ignored);
  WF_CHECK(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), path_,
           ": cannot be written: it exists and is not a regular file");
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
  // Linux writes at most 2 GiB per call.
  constexpr size_t kMax = size_t{1} << 30;
  for (auto* at = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t written = ::write(descriptor_, at, std::min(bytes, kMax));
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
  flush_directory_of(path_);
}

void AtomicFile::fail(const std::string& doing) const {
  const auto problem = str(path_, ": ", doing, " file: ", std::strerror(errno));
  if (errno == ENOSPC || errno == EDQUOT) throw DiskFull(problem);
  throw Error(problem);
}

void write_text_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

bool link_file(const std::string& from, const std::string& to) {
  const std::string temporary = to + ".tmp" + std::to_string(::getpid());
  ::unlink(temporary.c_str());
  if (::link(from.c_str(), temporary.c_str()) != 0) return false;
  const bool renamed = ::rename(temporary.c_str(), to.c_str()) == 0;
  // On success too: rename() does nothing if both names already are the same file.
  ::unlink(temporary.c_str());
  if (renamed) flush_directory_of(to);
  return renamed;
}

}  // namespace wf
