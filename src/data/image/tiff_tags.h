#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace wf {

/// An entry of a TIFF directory. `first` is its first value where that is an integer and stands in
/// the entry itself.
struct TiffTag {
  bool integers = false;  ///< its values are integers without a sign
  uint64_t count = 0;
  std::optional<uint64_t> first;
};

/// The entries of the first directory of a TIFF or BigTIFF file as they stand: libtiff repairs
/// contradictions between them in silence. Nothing when the directory or values of it are cut off,
/// or a tag occurs twice.
std::optional<std::map<uint16_t, TiffTag>> tiff_tags(std::string_view bytes);

}  // namespace wf
