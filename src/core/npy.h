// Files of one array, as NumPy writes them. Format: numpy/lib/format.py, versions 1.0 to 3.0.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <vector>

namespace wf {

struct NpyHeader {
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  size_t data = 0;  ///< offset of the numbers, row-major
};

/// The header of an array file. Little-endian f2 f4 f8 i1 i2 i4 i8 u1 and b1 in C order are read;
/// anything else, a damaged header and truncated data throw wf::Error in one line
/// naming `path`.
NpyHeader parse_npy(std::string_view file, const std::string& path);

/// The array in `file`, copied.
at::Tensor read_npy(std::string_view file, const std::string& path);
/// The same from a file on disk.
at::Tensor read_npy(const std::string& path);

/// The bytes in front of the data of an array; a multiple of 64.
std::string npy_header(at::ScalarType type, const std::vector<int64_t>& shape);

/// Writes `array`, atomically. Throws wf::Error for a dtype that parse_npy() does not read.
void write_npy(const std::string& path, const at::Tensor& array);

}  // namespace wf
