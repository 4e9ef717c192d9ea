#pragma once

#include <string>

namespace wf {

/// Locks a directory against a second run while it exists, across machines if the file system
/// supports it (flock; otherwise a warning is logged). The kernel releases the lock when the
/// process ends.
class FolderLock {
 public:
  /// Waits a few seconds for another holder, which may be a run that is being restarted. Throws
  /// wf::Error if it keeps the lock.
  explicit FolderLock(std::string directory);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// To be called before writing into the directory. If it was moved or deleted, creates it again
  /// under the same path, locks it and logs a warning. Throws wf::Error if that fails, or if
  /// another run uses the path by now.
  void renew();

 private:
  int open_file() const;
  bool is_in_place() const;

  std::string directory_, path_;
  int descriptor_ = -1;
};

}  // namespace wf
