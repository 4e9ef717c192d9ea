#include "weightformer/core/check.h"

#include "convert_listing.h"
#include "core/registry.h"
#include "runtime/log.h"

#include <functional>
#include <unordered_set>

namespace wf {

using pickle::Kind;
using pickle::Value;

std::string child_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

void warn_of_what_is_left_out(const TensorFile& file) {
  constexpr size_t kNamed = 5;
  std::vector<std::string> named;
  size_t count = 0;
  bool tensors = false;
  // A few bytes of pickle can refer to one value exponentially often.
  std::unordered_set<const Value*> seen;
  const std::function<void(const Value&, const std::string&)> look = [&](const Value& value,
                                                                         const std::string& path) {
    if (!seen.insert(&value).second) return;
    tensors = tensors || value.is(Kind::tensor);
    if ((value.is(Kind::opaque) || value.is(Kind::global)) && ++count <= kNamed) {
      named.push_back(str(path.empty() ? "all of it" : path, " (", value.text.substr(0, 80), ")"));
    }
    const bool dict = value.is(Kind::dict);
    for (size_t i = dict ? 1 : 0; i < value.items.size(); i += dict ? 2 : 1) {
      look(*value.items[i],
           child_path(path, dict ? value.items[i - 1]->as_key() : std::to_string(i)));
    }
  };
  look(file.root(), "");
  WF_CHECK(tensors, file.path(), ": contains no tensor that can be converted",
           count ? "; not read: " + join(named, ", ") : "");
  if (count == 0) return;
  log::warning("{}: {} values that are neither tensors nor plain data are left out: {}{}",
               file.path(), count, join(named, ", "), count > kNamed ? ", …" : "");
}

}  // namespace wf
