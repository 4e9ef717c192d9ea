#include "engine/metadata.h"

#include "weightformer/core/check.h"

namespace wf {

void require_same_classes(const Metadata& saved, const std::vector<std::string>& now,
                          const std::string& source) {
  const auto found = saved.find("classes");
  if (found == saved.end() || found->second.size() != now.size()) return;
  for (size_t i = 0; i < now.size(); ++i) {
    WF_CHECK(
        found->second[i] == now[i], source, ": class ", i, " was '", found->second[i],
        "' and is now '", now[i],
        "' in the training data; continue with the same classes, or start from the weights with "
        "--pretrained and another --tag");
  }
}

}  // namespace wf
