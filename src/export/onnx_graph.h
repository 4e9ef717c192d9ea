// Builds an ONNX model and writes it as a file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace wf::onnx {

/// The operator set that the nodes are of; the first with Gelu.
constexpr int64_t kOpset = 20;

/// The types of values that are used here, with the numbers of TensorProto.DataType.
enum class Type : int32_t { float32 = 1, uint8 = 2, int64 = 7, boolean = 9, float16 = 10 };

/// A value in the graph, by its name.
using Value = std::string;

/// A size, or the name of one that is chosen when the model is run.
using Dim = std::variant<int64_t, std::string>;

using Attribute = std::variant<int64_t, double, std::string, std::vector<int64_t>>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

/// A model of one graph. Nodes are added in the order of their execution. See onnx.proto3 of
/// https://github.com/onnx/onnx for the format.
class Graph {
 public:
  /// An input of the model.
  Value input(const std::string& name, Type type, const std::vector<Dim>& shape);
  /// Makes `value` an output of the model, called `name`.
  void output(const Value& value, const std::string& name, Type type,
              const std::vector<Dim>& shape);

  /// A tensor in the file (float32, float16, int64, uint8 or bool), called `name`; a name that
  /// exists already stands for the same tensor, which is stored once.
  Value tensor(const std::string& name, const at::Tensor& tensor);
  /// int64 [n].
  Value ints(const std::vector<int64_t>& values);

  /// Adds a node of the operator `op` and returns its first output.
  Value node(const std::string& op, const std::vector<Value>& inputs,
             const Attributes& attributes = {});
  /// The same with `count` outputs.
  std::vector<Value> nodes(const std::string& op, const std::vector<Value>& inputs, size_t count,
                           const Attributes& attributes = {});

  /// Free text with the model: metadata_props.
  void metadata(const std::string& key, const std::string& value) { metadata_[key] = value; }

  /// The module that the following nodes are of, a prefix of their names; viewers group by it.
  void scope(const std::string& module) { scope_ = module; }

  size_t node_count() const { return nodes_.size(); }

  /// Writes the model atomically. Throws wf::Error, naming `path`, when the tensors need more
  /// bytes than the format has for a file, 2^31, or when the file cannot be written.
  void write(const std::string& path) const;

 private:
  std::string graph_message() const;

  // Encoded messages, in order.
  std::vector<std::string> nodes_, inputs_, outputs_;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::string scope_;
};

}  // namespace wf::onnx
