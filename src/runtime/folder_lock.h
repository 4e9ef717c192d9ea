#pragma once

#include <string>

namespace wf {

/// Keeps a second run out of a folder as long as it lives, over machines too where the file system
/// can (flock; where it cannot, a warning says so). The kernel lets go of it when the process ends,
/// however it ends.
class FolderLock {
 public:
  /// Waits a few seconds for the one that has it, which may be a run that is just being restarted.
  /// Throws wf::Error when it stays.
  explicit FolderLock(std::string folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// To be called before writing into the folder. When that was moved or deleted, makes it again
  /// under the same path, locks it and says so in the log. Throws wf::Error when it cannot, or when
  /// another run is there by now.
  void renew();

 private:
  int open_file() const;
  bool is_in_place() const;

  std::string folder_, path_;
  int descriptor_ = -1;
};

}  // namespace wf
