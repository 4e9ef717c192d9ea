// How a process uses files, as the kernel counts it.
#pragma once

#include "weightformer/core/check.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

namespace wf::testing {

/// Counts how often the files of a directory are opened while it exists.
class OpenCounter {
 public:
  explicit OpenCounter(const std::string& directory)
      : events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    WF_CHECK(::inotify_add_watch(events_, directory.c_str(), IN_OPEN) >= 0, directory,
             ": cannot be watched");
  }
  ~OpenCounter() { ::close(events_); }
  OpenCounter(const OpenCounter&) = delete;
  OpenCounter& operator=(const OpenCounter&) = delete;

  /// Opens so far by name in the directory.
  const std::map<std::string, int>& opens() {
    alignas(inotify_event) char buffer[4096];
    for (ssize_t got; (got = ::read(events_, buffer, sizeof(buffer))) > 0;) {
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        if (event->len > 0) opens_[event->name] += 1;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    return opens_;
  }

 private:
  int events_;
  std::map<std::string, int> opens_;
};

/// Bytes that this process has read by system calls; pages of a map do not count.
inline uint64_t bytes_read() {
  std::ifstream in("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (in >> name >> value) {
    if (name == "rchar:") return value;
  }
  throw Error("/proc/self/io: no rchar");
}

}  // namespace wf::testing
