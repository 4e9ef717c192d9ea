#include "checkpoint/yaml_tree.h"

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

}  // namespace

Value* yaml_tree(pickle::Document& document, const std::string& yaml) {
  auto* out = tree(document, YAML::Load(yaml));
  return out->is(Kind::dict) ? out : document.make(Kind::dict);
}

}  // namespace wf
