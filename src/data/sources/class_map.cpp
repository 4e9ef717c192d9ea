#include "data/sources/class_map.h"

#include "weightformer/core/check.h"

#include "data/sources/class_names.h"
#include "data/sources/sample_names.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <unordered_set>

namespace wf {
namespace {

struct MapLine {
  std::string found, rest, where;
  std::optional<int32_t> number;  // when `rest` is one
};

std::vector<MapLine> map_lines(const std::string& path) {
  std::vector<MapLine> lines;
  for (const auto& [text, number] : read_lines(path)) {
    auto& line = lines.emplace_back();
    line.where = str(path, ":", number);
    const auto end = std::min(text.find_first_of("\t "), text.size());
    line.found = text.substr(0, end);
    line.rest = text.substr(std::min(text.find_first_not_of("\t ", end), text.size()));
    WF_CHECK(is_utf8(text), line.where, ": the names of classes must be UTF-8");
    int32_t value = -1;
    const auto last = line.rest.data() + line.rest.size();
    const auto [stop, problem] = std::from_chars(line.rest.data(), last, value);
    if (!line.rest.empty() && stop == last && problem == std::errc()) line.number = value;
  }
  return lines;
}

}  // namespace

ClassMap read_class_map(const std::string& path) {
  const auto lines = map_lines(path);
  const auto count = static_cast<int32_t>(lines.size());
  const bool numbered =
      std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.number; });
  ClassMap map{path, std::vector<std::string>(lines.size()), {}, lines.front().found};
  std::unordered_set<std::string> names;
  for (int32_t i = 0; i < count; ++i) {
    const auto& line = lines[i];
    const int32_t number = numbered ? *line.number : i;
    WF_CHECK(number >= 0 && number < count, line.where, ": the number ", number,
             ", and the numbers of ", count, " classes are 0 to ", count - 1);
    const auto& name = numbered || line.rest.empty() ? line.found : line.rest;
    WF_CHECK(map.names[number].empty(), line.where, ": ", name, " has the number ", number, " of ",
             map.names[number]);
    WF_CHECK(map.number.emplace(line.found, number).second && names.insert(name).second, line.where,
             ": ", line.found, line.rest.empty() ? "" : " ", line.rest, " is there twice");
    map.names[number] = name;
  }
  return map;
}

}  // namespace wf
