#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// The CRC-32C of `bytes` (Castagnoli, reflected 0x1EDC6F41), rotated and shifted as TensorFlow's
/// record files have it.
uint32_t masked_crc32c(const std::string& bytes);

/// Appends events to a file of TensorFlow records: length (uint64, little-endian), its masked
/// CRC-32C, the event, its masked CRC-32C. An event is in the file once write() returns, so that a
/// process which is killed loses nothing; after a crash of the machine the last ones may be
/// missing.
class EventFile {
 public:
  /// Creates the directory of `path` if necessary, and the file with the first write().
  explicit EventFile(std::string path) : path_(std::move(path)) {}
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// An event that cannot be written is dropped; a partial one is removed from the file. The first
  /// failure is logged as a warning.
  void write(const std::string& event);

 private:
  bool open();
  bool append(const std::string& record);

  std::string path_;
  int file_ = -1;
  int64_t size_ = 0;  // of the complete records
  bool warned_ = false;
};

/// The events in a file, up to the first record that is truncated or damaged. Empty for a file that
/// cannot be read.
std::vector<std::string> read_event_file(const std::string& path);

/// The event files of `directory` in the order in which TensorBoard reads them.
std::vector<std::string> event_files(const std::string& directory);

/// A path in `directory` for the event file of a process that starts at `seconds` since 1970, later
/// in the order than those that are there.
std::string next_event_file(const std::string& directory, int64_t seconds);

}  // namespace wf
