#include "runtime/folder_lock.h"

#include "weightformer/core/check.h"

#include "runtime/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace wf {

FolderLock::FolderLock(const std::string& folder) {
  const auto path = folder + "/.lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  WF_CHECK(descriptor_ >= 0, path, ": cannot open: ", std::strerror(errno));
  constexpr std::chrono::milliseconds kPause(100);
  int waits = 50;
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int problem = errno;
    if (problem == EWOULDBLOCK && waits-- > 0) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (problem == EINTR) continue;
    if (problem != EWOULDBLOCK) {
      log::warning("{}: cannot be locked ({}); see that no second run uses this folder", path,
                   std::strerror(problem));
      return;
    }
    ::close(descriptor_);
    throw Error(str(folder, ": another run is writing here; give this one another --tag"));
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace wf
