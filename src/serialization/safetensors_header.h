// The header of a safetensors file, without torch.
#pragma once

#include "serialization/pickle.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

struct SafetensorsEntry {
  pickle::Dtype dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;  ///< bytes, from the start of the data
};

struct SafetensorsHeader {
  uint64_t data_start = 0;  ///< in the file
  std::map<std::string, SafetensorsEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Parses the header of a complete file in memory; every tensor is inside the file and has the size
/// of its shape. Throws wf::Error naming `where` for any damage.
SafetensorsHeader parse_safetensors_header(std::string_view file, const std::string& where);

/// The format's name of a dtype: "BF16".
std::string safetensors_dtype(pickle::Dtype dtype);

}  // namespace wf
