// Preloaded into a program (LD_PRELOAD): ends it by SIGKILL at the WF_KILL_AT-th of its calls of
// write, fsync, rename, link, unlink and remove that concern a file under the directory
// WF_KILL_UNDER, before the call has any effect; a write first writes half of its bytes. Each of
// these calls is a line of the file WF_KILL_LOG, if that is set. With WF_NO_LINKS there are no hard
// links, as on some file systems. With WF_DISK_BYTES the files under the directory can have no more
// bytes than that.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

namespace {

template <typename Call>
Call next(const char* name, Call) {
  return reinterpret_cast<Call>(::dlsym(RTLD_NEXT, name));
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Whether this call is the one to end at.
bool is_the_one(const char* call, const std::string& path) {
  static const std::string under = variable("WF_KILL_UNDER"), log = variable("WF_KILL_LOG");
  static const long at = std::atol(variable("WF_KILL_AT").c_str());
  static std::atomic<long> count{0};
  if (under.empty() || path.rfind(under, 0) != 0) return false;
  if (!log.empty()) {
    if (std::FILE* file = std::fopen(log.c_str(), "a")) {
      std::fprintf(file, "%s %s\n", call, path.c_str());
      std::fclose(file);
    }
  }
  return ++count == at;
}

void end() { ::kill(::getpid(), SIGKILL); }

std::string path_of(int descriptor) {
  char path[4096];
  const auto name = "/proc/self/fd/" + std::to_string(descriptor);
  const auto size = ::readlink(name.c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : "";
}

// Whether so many more bytes fit on the disk.
bool fits(size_t bytes) {
  static const std::string under = variable("WF_KILL_UNDER"), limit = variable("WF_DISK_BYTES");
  if (limit.empty()) return true;
  std::map<ino_t, size_t> sizes;  // a file may have several names
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(under, ignored)) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) == 0) sizes[info.st_ino] = info.st_size;
  }
  for (const auto& size : sizes) bytes += size.second;
  return bytes <= std::stoul(limit);
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static const auto real = next("write", &::write);
  if (descriptor > STDERR_FILENO && is_the_one("write", path_of(descriptor))) {
    real(descriptor, data, bytes / 2);
    end();
  }
  if (descriptor > STDERR_FILENO && !fits(bytes)) {
    errno = ENOSPC;
    return -1;
  }
  return real(descriptor, data, bytes);
}

int fsync(int descriptor) {
  static const auto real = next("fsync", &::fsync);
  if (is_the_one("fsync", path_of(descriptor))) end();
  return real(descriptor);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next("rename", &::rename);
  if (is_the_one("rename", to)) end();
  return real(from, to);
}

int link(const char* from, const char* to) noexcept {
  static const auto real = next("link", &::link);
  if (is_the_one("link", to)) end();
  if (!variable("WF_NO_LINKS").empty()) {
    errno = EPERM;
    return -1;
  }
  return real(from, to);
}

int unlink(const char* path) noexcept {
  static const auto real = next("unlink", &::unlink);
  if (is_the_one("unlink", path)) end();
  return real(path);
}

int remove(const char* path) noexcept {
  static const auto real = next("remove", &::remove);
  if (is_the_one("remove", path)) end();
  return real(path);
}

}  // extern "C"
