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

/// A part of a file whose checksum() is known.
struct Stretch {
  std::string what;  ///< for the message
  uint64_t begin = 0, size = 0;
  uint32_t checksum = 0;
};

using TensorMap = std::map<std::string, at::Tensor>;

struct Safetensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata = {};
  std::vector<Stretch> checksums = {};  ///< in the file, not compared yet
};

/// Reads all of `path`. The tensors lie in a private memory map of the file: pages are read when
/// touched, and writing to a tensor does not change the file. dtypes: F64 F32 F16 BF16 I64 I32 I16
/// I8 U8 BOOL. Throws wf::Error naming the file and what is wrong with it.
/// A checksum, which write_safetensors leaves in the metadata, is compared and taken out.
Safetensors read_safetensors(const std::string& path);

/// The same from an open file; the checksum is not compared.
Safetensors read_safetensors(const std::shared_ptr<MappedFile>& file);

/// Whether a file that begins like this can be one.
bool looks_like_safetensors(std::string_view file);

/// Writes atomically: a reader sees the old file or the new one, whole, also after a power cut.
/// Tensors may be strided and on any device.
void write_safetensors(const std::string& path, const Safetensors& content);

}  // namespace wf
