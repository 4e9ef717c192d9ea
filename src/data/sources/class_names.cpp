#include "data/sources/class_names.h"

#include "weightformer/core/check.h"

#include <nlohmann/json.hpp>

#include <set>
#include <unordered_map>

namespace wf {

bool is_utf8(const std::string& text) {
  using nlohmann::json;
  const auto valid = json(text).dump(-1, ' ', false, json::error_handler_t::ignore);
  return json::parse(valid).get<std::string>() == text;
}

std::vector<int32_t> number_classes(const std::vector<std::string>& found,
                                    std::vector<std::string>& classes, const std::string& where) {
  if (classes.empty()) classes = found;
  std::unordered_map<std::string, int32_t> known;
  for (size_t i = 0; i < classes.size(); ++i) known.emplace(classes[i], static_cast<int32_t>(i));
  std::vector<int32_t> numbers;
  std::set<std::string> seen;
  for (const auto& name : found) {
    WF_CHECK(is_utf8(name), where, "/", name, ": the name of a class must be UTF-8; rename it");
    WF_CHECK(seen.insert(name).second, where, ": the class ", name, " is there twice");
    const auto at = known.find(name);
    WF_CHECK(at != known.end(), where, "/", name,
             ": a class that is not one of the model's (those of the training images)");
    numbers.push_back(at->second);
  }
  return numbers;
}

}  // namespace wf
