#include "pack_contents.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/sources/packed_file.h"

#include <iostream>

namespace wf {

int list_pack(const std::string& path) {
  const PackedFile file(path);
  for (int64_t i = 0; i < file.size(); ++i) {
    std::cout << file.entry_name(i) << '\t' << file.classes()[file.label(i)] << '\t'
              << file.length(i) << '\n';
  }
  return 0;
}

int verify_pack(const std::string& path) {
  const PackedFile file(path);
  int64_t damaged = 0;
  for (int64_t i = 0; i < file.size(); ++i) {
    try {
      file.read(i);
    } catch (const UnreadableImage& problem) {
      std::cout << problem.what() << '\n';
      ++damaged;
    }
  }
  WF_CHECK(damaged == 0, path, ": ", damaged, " of ", file.size(), " images are corrupted");
  std::cout << path << ": all " << file.size() << " images are intact\n";
  return 0;
}

}  // namespace wf
