#include "serialization/tree_json.h"

#include "weightformer/core/check.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace wf {
namespace {

using nlohmann::json;
using pickle::Document;
using pickle::Kind;
using pickle::Value;

// A small file can name the same list over and over inside lists of itself.
constexpr int64_t kMostNodes = 4'000'000;

// JSON knows no tuples, no keys but texts and no NaN: those are objects with one "$" key.
class ToJson {
 public:
  ToJson(TensorFile& file, TensorMap& tensors) : file_(file), tensors_(tensors) {}

  json of(const Value& value, const std::string& path) {
    WF_CHECK(++count_ <= kMostNodes, file_.path(), ": its tree is too large to be written out");
    switch (value.kind) {
      case Kind::boolean:
        return value.integer != 0;
      case Kind::integer:
        return value.integer;
      case Kind::real:
        if (std::isfinite(value.real)) return value.real;
        return {{"$float", std::isnan(value.real) ? "nan" : value.real > 0 ? "inf" : "-inf"}};
      case Kind::text:
        return value.text;
      case Kind::list:
        return items(value, path);
      case Kind::tuple:
      case Kind::set:
        return {{"$tuple", items(value, path)}};
      case Kind::dict:
        return dict(value, path);
      case Kind::tensor: {
        auto name = path;
        while (!tensors_.emplace(name, file_.tensor(value)).second) name += "'";
        return {{"$tensor", name}};
      }
      default:
        return nullptr;
    }
  }

 private:
  json items(const Value& value, const std::string& path) {
    json out = json::array();
    for (size_t i = 0; i < value.items.size(); ++i) {
      out.push_back(of(*value.items[i], path + "." + std::to_string(i)));
    }
    return out;
  }
  // Pairs, as the order of a state dict means something.
  json dict(const Value& value, const std::string& path) {
    json pairs = json::array();
    for (size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const auto& key = *value.items[i];
      pairs.push_back(
          {of(key, ""), of(*value.items[i + 1], (path.empty() ? "" : path + ".") + key.as_key())});
    }
    return {{"$dict", pairs}};
  }

  TensorFile& file_;
  TensorMap& tensors_;
  int64_t count_ = 0;
};

class FromJson {
 public:
  FromJson(const TensorMap& tensors, TensorTree& tree) : tensors_(tensors), tree_(tree) {}

  Value* of(const json& j) {
    auto& d = tree_.document;
    if (j.is_boolean()) return d.of(j.get<bool>());
    if (j.is_number_integer()) return d.of(j.get<int64_t>());
    if (j.is_number()) return d.of(j.get<double>());
    if (j.is_string()) return d.of(j.get<std::string>());
    if (j.is_array()) return items(Kind::list, j);
    if (!j.is_object()) return d.none();
    if (j.contains("$tensor")) return tree_.of(tensors_.at(j["$tensor"].get<std::string>()));
    if (j.contains("$tuple")) return items(Kind::tuple, j["$tuple"]);
    if (j.contains("$float")) return d.of(std::stod(j["$float"].get<std::string>()));
    auto* dict = d.make(Kind::dict);
    for (const auto& pair : j.at("$dict")) {
      dict->items.push_back(of(pair.at(0)));
      dict->items.push_back(of(pair.at(1)));
    }
    return dict;
  }

 private:
  Value* items(Kind kind, const json& j) {
    auto* out = tree_.document.make(kind);
    for (const auto& item : j) out->items.push_back(of(item));
    return out;
  }

  const TensorMap& tensors_;
  TensorTree& tree_;
};

class Copy {
 public:
  Copy(TensorFile& file, TensorTree& tree) : file_(file), tree_(tree) {}

  Value* of(const Value& value) {
    WF_CHECK(++count_ <= kMostNodes, file_.path(), ": its tree is too large to be written out");
    if (value.is(Kind::tensor)) return tree_.of(file_.tensor(value));
    auto* out = tree_.document.make(value.kind);
    out->integer = value.integer;
    out->real = value.real;
    out->text = value.text;
    for (const auto* item : value.items) out->items.push_back(of(*item));
    return out;
  }

 private:
  TensorFile& file_;
  TensorTree& tree_;
  int64_t count_ = 0;
};

}  // namespace

Safetensors to_safetensors(TensorFile& file) {
  Safetensors out;
  out.metadata[kTreeKey] = ToJson(file, out.tensors).of(file.root(), "").dump();
  return out;
}

const Value* from_safetensors(const Safetensors& content, TensorTree& tree,
                              const std::string& source) try {
  return FromJson(content.tensors, tree).of(json::parse(content.metadata.at(kTreeKey)));
} catch (const std::exception& problem) {  // nlohmann's, and those of at()
  throw Error(str(source, ": damaged: its tree of values: ", problem.what()));
}

const Value* copy_tree(TensorFile& file, TensorTree& tree) {
  return Copy(file, tree).of(file.root());
}

}  // namespace wf
