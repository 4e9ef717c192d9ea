// Archives of arrays, as numpy.savez and numpy.savez_compressed write them.
#pragma once

#include "core/npy.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

class MappedFile;
struct UnpackedEntry;
struct ZipEntry;

/// An array in an archive: in the file's memory map where it is stored as it is, else unpacked.
struct NpzArray {
  NpyHeader header;
  std::string_view data;              ///< row-major
  std::shared_ptr<const void> owner;  ///< keeps the data where it is

  /// Rows [begin, end) of the first dimension, copied.
  at::Tensor rows(int64_t begin, int64_t end) const;
};

/// The arrays of one file. Throws wf::Error in one line naming the file and the array for an
/// archive that is truncated, damaged, encrypted, or packed by a method other than store and
/// deflate.
class NpzFile {
 public:
  explicit NpzFile(const std::string& path);
  ~NpzFile();

  const std::string& path() const;
  /// In the order of the file, without ".npy".
  std::vector<std::string> names() const;
  bool has(const std::string& name) const;

  /// Bytes of the file of the array `name` when unpacked, its header included.
  uint64_t size(const std::string& name) const;

  /// The array `name`, its checksum compared; of 10 GB that are stored as they are nothing is
  /// copied.
  NpzArray open(const std::string& name) const;
  /// The same as a tensor of its own.
  at::Tensor read(const std::string& name) const;
  /// An entry that is no array, such as a text; `name` with its ending.
  std::string text(const std::string& name) const;
  bool has_text(const std::string& name) const { return find(name) != nullptr; }

 private:
  const ZipEntry* find(const std::string& name) const;
  UnpackedEntry unpack(const std::string& entry) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<ZipEntry> entries_;
};

/// What write_npz() writes: arrays by name, and texts by name with ending.
struct NpzContent {
  std::map<std::string, at::Tensor> arrays;
  std::map<std::string, std::string> texts = {};
};

/// Writes atomically and without compression. Texts are ignored by programs that read only arrays.
void write_npz(const std::string& path, const NpzContent& content);

}  // namespace wf
