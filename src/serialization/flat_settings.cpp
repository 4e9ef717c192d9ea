#include "serialization/flat_settings.h"

#include "core/registry.h"

#include <charconv>
#include <vector>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

// The configurations of published trainers have 3 levels and 150 keys. Since a pickle may use a
// dict in many places, a small file could unfold without end.
constexpr int kLevels = 8;
constexpr size_t kVisits = 10000, kTextSize = 4096;

std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// As it would be typed.
std::string text_of(const Value& value, int levels) {
  if (value.is(Kind::boolean)) return value.integer ? "true" : "false";
  if (value.is(Kind::integer)) return std::to_string(value.integer);
  if (value.is(Kind::real)) return shortest(value.real);
  if (value.is(Kind::text)) return value.text.substr(0, kTextSize);
  if (!value.is(Kind::list) && !value.is(Kind::tuple)) return "";
  std::vector<std::string> items;
  size_t size = 0;
  for (const auto* item : value.items) {
    if (levels == 0 || size > kTextSize) break;
    items.push_back(text_of(*item, levels - 1));
    size += items.back().size() + 2;
  }
  return "[" + join(items, ", ") + "]";
}

struct Unfolded {
  Settings settings;
  size_t visits = 0;

  void add(const Value& tree, const std::string& prefix, int levels) {
    for (size_t i = 0; i + 1 < tree.items.size() && visits < kVisits; i += 2, ++visits) {
      const auto &name = *tree.items[i], &value = *tree.items[i + 1];
      if (!name.is(Kind::text)) continue;
      const auto key = prefix + name.text.substr(0, 100);
      if (!value.is(Kind::dict) && !value.is(Kind::opaque)) {
        settings.emplace(key, text_of(value, 2));
      } else if (levels > 1) {
        add(value, key + ".", levels - 1);
      }
    }
  }
};

}  // namespace

Settings flat_settings(const Value& tree) {
  Unfolded out;
  out.add(tree, "", kLevels);
  return out.settings;
}

}  // namespace wf
