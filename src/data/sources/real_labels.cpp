#include "data/sources/real_labels.h"

#include "weightformer/core/check.h"

#include "core/mapped_file.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <string_view>

namespace wf {
namespace {

using Labels = std::vector<std::vector<int64_t>>;

Labels read_labels(const std::string& path, int64_t classes) {
  const MappedFile file(path);
  const auto list = nlohmann::json::parse(file.bytes(), nullptr, /*allow_exceptions=*/false);
  WF_CHECK(list.is_array() && !list.empty(), path,
           ": expected a JSON list with a list of class numbers for each image");
  Labels all;
  for (const auto& entry : list) {
    WF_CHECK(entry.is_array(), path, ": element ", all.size(), " is no list of class numbers");
    auto& labels = all.emplace_back();
    for (const auto& label : entry) {
      const bool known = label.is_number_integer() && label >= 0 && label < classes;
      WF_CHECK(known, path, ": element ", all.size() - 1, " has the class ", label.dump(),
               ", and there are the classes 0 to ", classes - 1);
      labels.push_back(label.get<int64_t>());
    }
  }
  return all;
}

// The number in ILSVRC2012_val_00000007.JPEG, from 1; 0 when there is none.
int64_t number_of(std::string_view name) {
  constexpr std::string_view kMark = "_val_";
  name = name.substr(name.rfind('/') + 1);
  const auto mark = name.rfind(kMark);
  if (mark == std::string_view::npos) return 0;
  const auto digits = name.substr(mark + kMark.size());
  int64_t number = 0;
  const auto end = digits.data() + digits.size();
  const auto [stop, problem] = std::from_chars(digits.data(), end, number);
  const bool whole = problem == std::errc() && (stop == end || *stop == '.');
  return whole && number > 0 ? number : 0;
}

}  // namespace

Labels real_labels(const Dataset& pictures, const std::string& path) {
  const auto all = read_labels(path, static_cast<int64_t>(pictures.classes().size()));
  Labels out;
  for (int64_t i = 0; i < pictures.size(); ++i) {
    const auto name = pictures.name(i);
    const auto number = number_of(name);
    WF_CHECK(number > 0, name,
             ": DATA.REAL_LABELS finds the labels of an image by a name such as "
             "ILSVRC2012_val_00000001.JPEG, and this is none");
    WF_CHECK(number <= static_cast<int64_t>(all.size()), name, ": ", path,
             " has only the labels of ", all.size(), " images");
    out.push_back(all[number - 1]);
  }
  return out;
}

}  // namespace wf
