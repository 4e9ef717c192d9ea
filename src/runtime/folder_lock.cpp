#include "runtime/folder_lock.h"

#include "weightformer/core/check.h"

#include "runtime/log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace wf {
namespace {

// Tries once and then `waits` times more. Throws wf::Error when another process keeps the lock.
void take_lock(int descriptor, const std::string& path, const std::string& directory, int waits) {
  constexpr std::chrono::milliseconds kPause(100);
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int problem = errno;
    if (problem == EINTR) continue;
    if (problem != EWOULDBLOCK) {
      log::warning("{}: cannot be locked ({}); make sure that no second run uses this directory",
                   path, std::strerror(problem));
      return;
    }
    WF_CHECK(waits-- > 0, directory, ": another run is writing here; give this one another --tag");
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

FolderLock::FolderLock(std::string directory)
    : directory_(std::move(directory)), path_(directory_ + "/.lock"), descriptor_(open_file()) {
  constexpr int kWaits = 50;
  try {
    take_lock(descriptor_, path_, directory_, kWaits);
  } catch (const Error&) {
    ::close(descriptor_);
    throw;
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

int FolderLock::open_file() const {
  const int descriptor = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  WF_CHECK(descriptor >= 0, path_, ": cannot open: ", std::strerror(errno));
  return descriptor;
}

// Whether the file under the path is still the one that this object has open.
bool FolderLock::is_in_place() const {
  struct stat there {
  }, ours{};
  return ::stat(path_.c_str(), &there) == 0 && ::fstat(descriptor_, &ours) == 0 &&
         there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

void FolderLock::renew() {
  if (is_in_place()) return;
  std::error_code problem;
  std::filesystem::create_directories(directory_, problem);
  WF_CHECK(!problem, directory_,
           ": moved or deleted, and cannot be created again: ", problem.message());
  const int descriptor = open_file();
  try {
    take_lock(descriptor, path_, directory_, /*waits=*/0);
  } catch (const Error&) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor_);
  descriptor_ = descriptor;
  log::warning(
      "{}: this run directory was moved or deleted; created it again, saving continues there",
      directory_);
}

}  // namespace wf
