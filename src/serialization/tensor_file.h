#pragma once

#include "weightformer/serialization/safetensors.h"

#include "core/mapped_file.h"
#include "serialization/torch_file.h"
#include "serialization/verify.h"

#include <c10/core/Storage.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Maps a file whose tensors may be modified in memory; the file does not change. Throws wf::Error
/// when it cannot be read or is empty.
std::shared_ptr<MappedFile> open_tensors(const std::string& path);

/// Whether `file` is one of torch.save; false: safetensors. Throws wf::Error when it is neither.
bool is_torch(const MappedFile& file);

/// A file of torch.save with its tensors in a private map of the file: pages are read when touched.
class TensorFile {
 public:
  /// Throws wf::Error when `path` is damaged, or calls functions that only malicious files call
  /// (they are never executed, but such files are rejected).
  explicit TensorFile(const std::string& path);
  explicit TensorFile(std::shared_ptr<MappedFile> file);

  const pickle::Value& root() const { return *content_.document.root; }
  const std::string& path() const { return file_->path(); }
  const std::shared_ptr<MappedFile>& file() const { return file_; }

  /// The storages with a checksum in the file.
  std::vector<ChecksummedRange> checksums() const;
  /// Verifies them all; throws wf::Error naming the first that differs.
  void verify() const { wf::verify(*file_, checksums()); }

  /// The tensor of a node, with its strides; those that share a storage in the file share it here.
  at::Tensor tensor(const pickle::Value& value);
  /// All tensors directly under `dict`, by key. A tensor of a dtype that is not supported throws.
  TensorMap tensors(const pickle::Value& dict);

 private:
  at::Storage storage(const pickle::Value& value);

  std::shared_ptr<MappedFile> file_;
  TorchFile content_;
  std::map<std::string, at::Storage> storages_;
};

/// A document with tensors, to be written as a file of torch.save.
class TensorTree {
 public:
  pickle::Document document;

  /// A node for `tensor`, which must not change until the file is written.
  pickle::Value* of(const at::Tensor& tensor);
  /// A dict node of tensors in the order of `names`.
  pickle::Value* of(const std::vector<std::string>& names, const TensorMap& tensors);

  /// A node with the content of `file`, in types that torch.load(weights_only=True) accepts; shared
  /// values are repeated. Throws wf::Error if that gives too many nodes.
  pickle::Value* copy_of(TensorFile& file);

  /// Copies all tensors to the CPU, so that the originals may change.
  void copy_tensors();

  /// Writes `root` atomically. Equal storages are not shared: each tensor is contiguous in the
  /// file.
  void write(const std::string& path, const pickle::Value& root) const;

 private:
  std::vector<at::Tensor> tensors_;  // by storage key
};

at::ScalarType scalar_type(pickle::Dtype dtype);
/// Throws wf::Error for a dtype that files cannot hold.
pickle::Dtype file_dtype(at::ScalarType dtype);

}  // namespace wf
