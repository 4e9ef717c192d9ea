#include "engine/metadata.h"

#include "weightformer/core/check.h"

namespace wf {

std::string first_other_class(const Metadata& saved, const Metadata& now) {
  const auto before = saved.find("classes"), after = now.find("classes");
  if (before == saved.end() || after == now.end()) return "";
  const auto &was = before->second, &is = after->second;
  for (size_t i = 0; i < is.size() && was.size() == is.size(); ++i) {
    if (was[i] != is[i]) return str("class ", i, " was '", was[i], "' and is now '", is[i], "'");
  }
  return "";
}

void require_same_classes(const Metadata& saved, const std::vector<std::string>& now,
                          const std::string& source) {
  const auto other = first_other_class(saved, {{"classes", now}});
  WF_CHECK(other.empty(), source, ": ", other,
           " in the training data; continue with the same classes, or start from the weights with "
           "--pretrained and another --tag");
}

}  // namespace wf
