#pragma once

#include "core/atomic_file.h"
#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

// An image set in one file, for file systems that handle many small files poorly. All numbers are
// little-endian.
//
//   header   "wfpack\r\n", u32 version (1), u32 zero
//   contents the images' bytes, one after another
//   index    classes x (u32 length, the name), images x record, the images' names
//   footer   u64 begin and u64 length of the index, u64 images, u32 classes,
//            u32 CRC-32 of the index and of the footer up to here, "wfpkend\n"
//   record   u64 begin, u64 length, u64 begin of the name (from the first name), u32 its length,
//            u32 class, u32 CRC-32 of the bytes, u32 zero

/// Writes such a file image by image; it gets its name when finish() is called.
class PackedWriter {
 public:
  PackedWriter(const std::string& path, std::vector<std::string> classes);

  /// `name`: "CLASS/file.jpg", for messages and for files of labels. `label`: a class's number.
  void add(std::string_view name, int64_t label, std::string_view bytes);
  void finish();

  int64_t size() const { return size_; }
  uint64_t bytes() const { return at_; }

 private:
  AtomicFile file_;
  std::vector<std::string> classes_;
  std::string records_, names_;
  uint64_t at_ = 0;
  int64_t size_ = 0;
};

struct PackedFileOptions {
  std::vector<std::string> classes;  ///< of the training set; empty: those of the file
  CacheOptions cache;
};

/// Reads it. The bytes are returned in place, after their checksum was verified.
class PackedFile : public Dataset {
 public:
  /// Throws wf::Error in one line when the file is of another kind or version, truncated or
  /// damaged in its index, or has a class that `classes` does not.
  explicit PackedFile(const std::string& path, PackedFileOptions options = {});

  int64_t size() const override { return size_; }
  int64_t label(int64_t i) const override;
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

  /// The name of the image when it was packed.
  std::string_view entry_name(int64_t i) const;
  /// The size of image `i` in bytes.
  uint64_t length(int64_t i) const;

 private:
  struct Record;
  Record record(int64_t i) const;
  void check_records() const;

  std::shared_ptr<const MappedFile> file_;
  std::string_view records_, names_;  // in file_
  int64_t size_ = 0;
  std::vector<int32_t> numbers_;  // of the file's classes, in classes()
  std::unique_ptr<ReadAhead> read_ahead_;
};

}  // namespace wf
