#include "checkpoint/yaml_tree.h"

#include "weightformer/core/check.h"

#include "config/load.h"
#include "core/registry.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

Value* scalar(pickle::Document& document, const YAML::Node& node) {
  const auto text = node.Scalar();
  if (node.Tag() == "!") return document.of(text);  // quoted
  bool truth = false;
  if ((text == "true" || text == "false") && YAML::convert<bool>::decode(node, truth)) {
    return document.of(truth);
  }
  int64_t integer = 0;
  if (YAML::convert<int64_t>::decode(node, integer)) return document.of(integer);
  double number = 0;
  if (YAML::convert<double>::decode(node, number)) return document.of(number);
  return document.of(text);
}

Value* tree(pickle::Document& document, const YAML::Node& node) {
  if (node.IsScalar()) return scalar(document, node);
  if (node.IsSequence()) {
    auto* list = document.make(Kind::list);
    for (const auto& item : node) list->items.push_back(tree(document, item));
    return list;
  }
  if (!node.IsMap()) return document.none();
  auto* dict = document.make(Kind::dict);
  for (const auto& item : node) {
    document.put(dict, item.first.Scalar(), tree(document, item.second));
  }
  return dict;
}

// In the form of a value of --opts.
std::string text_of(const Value& value) {
  if (value.is(Kind::boolean)) return value.integer ? "true" : "false";
  if (value.is(Kind::integer)) return std::to_string(value.integer);
  if (value.is(Kind::real)) return fmt::format("{}", value.real);
  if (value.is(Kind::text)) return value.text;
  if (value.is(Kind::none)) return "";
  std::vector<std::string> items;
  for (const auto* item : value.items) items.push_back(text_of(*item));
  return "[" + join(items, ", ") + "]";
}

void take(const Value& tree, const std::string& prefix, Config& config) {
  for (size_t i = 0; i + 1 < tree.items.size(); i += 2) {
    const auto &name = *tree.items[i], &value = *tree.items[i + 1];
    if (!name.is(Kind::text)) continue;
    const auto key = prefix + name.text;
    if (value.is(Kind::dict) || value.is(Kind::opaque)) {
      take(value, key + ".", config);
      continue;
    }
    try {
      set_key(config, key, text_of(value), "");
    } catch (const Error&) {
    }
  }
}

}  // namespace

Config config_in(const Value& tree, Config otherwise) {
  take(tree, "", otherwise);
  return otherwise;
}

Value* yaml_tree(pickle::Document& document, const std::string& yaml) {
  auto* out = tree(document, YAML::Load(yaml));
  return out->is(Kind::dict) ? out : document.make(Kind::dict);
}

}  // namespace wf
