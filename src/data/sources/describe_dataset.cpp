#include "data/sources/describe_dataset.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"

#include <algorithm>

namespace wf {
namespace {

// The length of the path of the innermost directory that all images share, with its slash.
size_t shared_directory(const Dataset& images) {
  std::string shared = images.size() > 0 ? images.name(0) : "";
  for (int64_t i = 1; i < images.size(); ++i) {
    const auto name = images.name(i);
    shared.erase(std::mismatch(shared.begin(), shared.end(), name.begin(), name.end()).first,
                 shared.end());
  }
  return shared.rfind('/') + 1;  // without a slash npos + 1, which is 0
}

}  // namespace

std::string describe_dataset(const Dataset& images) {
  const auto& classes = images.classes();
  std::vector<int64_t> counts(classes.size());
  std::vector<uint32_t> checksums(classes.size());
  uint32_t order = 0;
  const size_t skipped = shared_directory(images);
  for (int64_t i = 0; i < images.size(); ++i) {
    const auto label = static_cast<size_t>(images.label(i));
    const auto line = images.name(i).substr(skipped) + '\t' + std::to_string(label) + '\n';
    ++counts.at(label);
    checksums[label] = checksum(line, checksums[label]);
    order = checksum(line, order);
  }
  std::string out = str(classes.size(), " classes\n");
  for (size_t i = 0; i < classes.size(); ++i) {
    out += str("class ", i, " '", classes[i], "' with ", counts[i],
               " images (checksum of their names ", checksums[i], ")\n");
  }
  return out + str("the checksum ", order, " of all names in order\n");
}

}  // namespace wf
