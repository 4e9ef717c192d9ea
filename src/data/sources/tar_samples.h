// Which files of a tar archive are images, and their labels.
#pragma once

#include "data/sources/tar_archive.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

struct FoundImage {
  std::string name, group;  ///< as TarSample::name and a member of TarIndex::groups()
  uint64_t begin, size;
};

struct FoundImages {
  std::vector<FoundImage> images;
  bool labeled = false;
  uint64_t others = 0;
  std::string first_other;
};

/// What an archive, or one inside an archive, is called and where.
struct TarPlace {
  std::string path;         ///< for messages
  std::string name_prefix;  ///< "n01440764.tar/" of the inner one
  std::string directory;    ///< "n01440764" of the inner one
  uint64_t begin = 0;       ///< of its bytes in the outer one
  std::string_view bytes;   ///< of the archive
};

/// The images among `contents`, see make_tar_index(). Throws wf::Error.
FoundImages find_images(const TarContents& contents, const TarPlace& place);

/// A number or the name of a class, as a file `.cls`, `.txt` or `.json` has it; "" when it has
/// none.
std::string label_in(std::string_view text, std::string_view extension);

}  // namespace wf
