#include "config/key_search.h"

#include "config/keys.h"
#include "core/registry.h"
#include "core/text.h"

#include <algorithm>
#include <cctype>

namespace wf {
namespace {

constexpr size_t kLongest = 200;  // the time of edit_distance() grows with the length

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string ending(const std::string& key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::set<std::string> section_names() {
  std::set<std::string> sections;
  for (const auto& key : key_names()) {
    for (size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
      sections.insert(key.substr(0, dot));
    }
  }
  return sections;
}

std::string nearest_key(const std::string& key) {
  auto known = key_names();
  const auto sections = section_names();
  known.insert(known.end(), sections.begin(), sections.end());
  known.emplace_back("BASE");
  const auto meant = upper(key.substr(0, kLongest));
  for (const auto& name : known) {
    if (meant.find('.') != std::string::npos && ends_with(name, "." + meant)) return name;
  }
  std::vector<std::string> alike;
  for (const auto& name : known) {
    if (ending(name) == ending(meant)) alike.push_back(name);
  }
  // A missing section counts as one more typing error.
  const auto distance = [&](const std::string& name) {
    return std::min(edit_distance(meant, name), 1 + edit_distance(ending(meant), ending(name)));
  };
  const auto& candidates = alike.empty() ? known : alike;
  return *std::min_element(candidates.begin(), candidates.end(),
                           [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
}

std::string key_of_flag(const std::string& flag, size_t typos) {
  auto word = upper(flag.substr(0, kLongest));
  word.erase(0, word.find_first_not_of('-'));
  std::replace(word.begin(), word.end(), '-', '_');
  if (word.size() < 2) return "";
  const auto keys = key_names();
  const auto first = [&](auto matches) {
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&](const auto& key) { return matches(ending(key)); });
    return found == keys.end() ? "" : *found;
  };
  auto key = first([&](const auto& name) { return name == word || name == word + "S"; });
  if (key.empty()) key = first([&](const auto& name) { return ends_with(name, "_" + word); });
  if (key.empty()) key = first([&](const auto& name) { return starts_with(name, word + "_"); });
  if (key.empty() && typos > 0) {
    key = first([&](const auto& name) { return edit_distance(name, word) <= typos; });
  }
  return key;
}

}  // namespace wf
