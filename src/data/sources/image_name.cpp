#include "data/sources/image_name.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace wf {

bool is_picture(std::string_view file) {
  static constexpr std::array<std::string_view, 9> kKnown = {
      ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"};
  const auto dot = file.rfind('.');
  if (dot == std::string_view::npos || file.front() == '.') return false;
  std::string ending(file.substr(dot));
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kKnown.begin(), kKnown.end(), ending) != kKnown.end();
}

}  // namespace wf
