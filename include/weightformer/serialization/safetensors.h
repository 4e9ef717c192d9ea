// Files of named tensors in the safetensors format (8-byte header length, JSON header, raw data).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

class MappedFile;

/// A part of a file with its checksum().
struct ChecksummedRange {
  std::string what;  ///< for the message
  uint64_t begin = 0, size = 0;
  uint32_t checksum = 0;
};

using TensorMap = std::map<std::string, at::Tensor>;

struct Safetensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata = {};
  std::vector<ChecksummedRange> checksums = {};  ///< in the file, not verified yet
};

/// Reads all of `path`. The tensors are in a private memory map of the file: pages are read when
/// touched, and writing to a tensor does not change the file. dtypes: F64 F32 F16 BF16 I64 I32 I16
/// I8 U8 BOOL. Throws wf::Error naming the file and what is wrong with it.
/// The checksum that write_safetensors stores in the metadata is verified and removed from it.
Safetensors read_safetensors(const std::string& path);

/// The same from an open file; the checksum is not verified.
Safetensors read_safetensors(const std::shared_ptr<MappedFile>& file);

/// Whether `file` begins like a safetensors file.
bool looks_like_safetensors(std::string_view file);

/// Writes atomically: a reader sees the complete old file or the complete new one, also after a
/// power cut. Tensors may be strided and on any device.
void write_safetensors(const std::string& path, const Safetensors& content);

}  // namespace wf
