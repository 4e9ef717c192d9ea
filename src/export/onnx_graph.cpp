#include "export/onnx_graph.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/registry.h"

#include <ATen/ops/tensor.h>

#include <protozero/pbf_builder.hpp>

namespace wf::onnx {
namespace {

// The numbers of the fields, from onnx.proto3.
enum class ModelField : protozero::pbf_tag_type {
  ir_version = 1,
  producer_name = 2,
  graph = 7,
  opset_import = 8,
  metadata_props = 14
};
enum class OpsetField : protozero::pbf_tag_type { version = 2 };
enum class EntryField : protozero::pbf_tag_type { key = 1, value = 2 };
enum class GraphField : protozero::pbf_tag_type {
  node = 1,
  name = 2,
  initializer = 5,
  input = 11,
  output = 12
};
enum class NodeField : protozero::pbf_tag_type {
  input = 1,
  output = 2,
  name = 3,
  op_type = 4,
  attribute = 5
};
enum class AttributeField : protozero::pbf_tag_type {
  name = 1,
  f = 2,
  i = 3,
  s = 4,
  ints = 8,
  type = 20
};
enum class TensorField : protozero::pbf_tag_type {
  dims = 1,
  data_type = 2,
  name = 8,
  raw_data = 9
};
enum class ValueField : protozero::pbf_tag_type { name = 1, type = 2 };
enum class TypeField : protozero::pbf_tag_type { tensor_type = 1 };
enum class TensorTypeField : protozero::pbf_tag_type { elem_type = 1, shape = 2 };
enum class ShapeField : protozero::pbf_tag_type { dim = 1 };
enum class DimField : protozero::pbf_tag_type { value = 1, param = 2 };

template <typename Field>
using Message = protozero::pbf_builder<Field>;

constexpr int64_t kIrVersion = 9;  // the one that came with operator set 20
constexpr size_t kMaxBytes = size_t{1} << 31;

Type type_of(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return Type::float32;
    case at::kHalf:
      return Type::float16;
    case at::kLong:
      return Type::int64;
    case at::kByte:
      return Type::uint8;
    case at::kBool:
      return Type::boolean;
    default:
      throw Error(wf::str("ONNX: no tensors of ", tensor.scalar_type()));
  }
}

std::string encoded(const std::string& name, const Attribute& attribute) {
  // AttributeProto.AttributeType
  constexpr int32_t kFloat = 1, kInt = 2, kString = 3, kInts = 7;
  std::string data;
  Message<AttributeField> out(data);
  out.add_string(AttributeField::name, name);
  if (const auto* i = std::get_if<int64_t>(&attribute)) {
    out.add_int64(AttributeField::i, *i);
    out.add_enum(AttributeField::type, kInt);
  } else if (const auto* f = std::get_if<double>(&attribute)) {
    out.add_float(AttributeField::f, static_cast<float>(*f));
    out.add_enum(AttributeField::type, kFloat);
  } else if (const auto* s = std::get_if<std::string>(&attribute)) {
    out.add_string(AttributeField::s, *s);
    out.add_enum(AttributeField::type, kString);
  } else {
    const auto& ints = std::get<std::vector<int64_t>>(attribute);
    out.add_packed_int64(AttributeField::ints, ints.begin(), ints.end());
    out.add_enum(AttributeField::type, kInts);
  }
  return data;
}

std::string encoded(const std::string& name, const at::Tensor& tensor) {
  const auto dense = tensor.detach().cpu().contiguous();
  std::string data;
  Message<TensorField> out(data);
  out.add_packed_int64(TensorField::dims, dense.sizes().begin(), dense.sizes().end());
  out.add_int32(TensorField::data_type, static_cast<int32_t>(type_of(dense)));
  out.add_string(TensorField::name, name);
  out.add_bytes(TensorField::raw_data, static_cast<const char*>(dense.const_data_ptr()),
                dense.nbytes());
  return data;
}

// A ValueInfoProto: the name, type and shape of an input or output.
std::string encoded(const std::string& name, Type type, const std::vector<Dim>& shape) {
  std::string dims, tensor, any, data;
  for (const auto& dim : shape) {
    std::string one;
    Message<DimField> out(one);
    if (const auto* size = std::get_if<int64_t>(&dim)) {
      out.add_int64(DimField::value, *size);
    } else {
      out.add_string(DimField::param, std::get<std::string>(dim));
    }
    Message<ShapeField>(dims).add_message(ShapeField::dim, one);
  }
  Message<TensorTypeField> tensor_type(tensor);
  tensor_type.add_int32(TensorTypeField::elem_type, static_cast<int32_t>(type));
  tensor_type.add_message(TensorTypeField::shape, dims);
  Message<TypeField>(any).add_message(TypeField::tensor_type, tensor);
  Message<ValueField> out(data);
  out.add_string(ValueField::name, name);
  out.add_message(ValueField::type, any);
  return data;
}

std::string encoded_entry(const std::string& key, const std::string& value) {
  std::string data;
  Message<EntryField> out(data);
  out.add_string(EntryField::key, key);
  out.add_string(EntryField::value, value);
  return data;
}

}  // namespace

Value Graph::input(const std::string& name, Type type, const std::vector<Dim>& shape) {
  inputs_.push_back(encoded(name, type, shape));
  return name;
}

void Graph::output(const Value& value, const std::string& name, Type type,
                   const std::vector<Dim>& shape) {
  std::string data;
  Message<NodeField> out(data);
  out.add_string(NodeField::input, value);
  out.add_string(NodeField::output, name);
  out.add_string(NodeField::name, name);
  out.add_string(NodeField::op_type, "Identity");
  nodes_.push_back(data);
  outputs_.push_back(encoded(name, type, shape));
}

Value Graph::tensor(const std::string& name, const at::Tensor& tensor) {
  type_of(tensor);  // throws for a type that cannot be written
  tensors_.emplace(name, tensor);
  return name;
}

Value Graph::ints(const std::vector<int64_t>& values) {
  std::vector<std::string> words;
  for (const auto value : values) words.push_back(std::to_string(value));
  return tensor("[" + join(words, ",") + "]", at::tensor(values, at::kLong));
}

Value Graph::node(const std::string& op, const std::vector<Value>& inputs,
                  const Attributes& attributes) {
  return nodes(op, inputs, 1, attributes).front();
}

std::vector<Value> Graph::nodes(const std::string& op, const std::vector<Value>& inputs,
                                size_t count, const Attributes& attributes) {
  const auto name = str(scope_, scope_.empty() ? "" : "/", op, "_", nodes_.size());
  std::vector<Value> outputs;
  std::string data;
  Message<NodeField> out(data);
  for (const auto& value : inputs) out.add_string(NodeField::input, value);
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(i == 0 ? name : str(name, ".", i));
    out.add_string(NodeField::output, outputs.back());
  }
  out.add_string(NodeField::name, name);
  out.add_string(NodeField::op_type, op);
  for (const auto& [key, value] : attributes) {
    out.add_message(NodeField::attribute, encoded(key, value));
  }
  nodes_.push_back(std::move(data));
  return outputs;
}

std::string Graph::graph_message() const {
  std::string data;
  Message<GraphField> out(data);
  for (const auto& node : nodes_) out.add_message(GraphField::node, node);
  out.add_string(GraphField::name, "weightformer");
  for (const auto& [name, tensor] : tensors_) {
    out.add_message(GraphField::initializer, encoded(name, tensor));
  }
  for (const auto& input : inputs_) out.add_message(GraphField::input, input);
  for (const auto& output : outputs_) out.add_message(GraphField::output, output);
  return data;
}

void Graph::write(const std::string& path) const {
  size_t bytes = 0;
  for (const auto& item : tensors_) bytes += item.second.numel() * item.second.element_size();
  constexpr size_t kRest = size_t{1} << 24;  // for nodes and names, which need about 100 KB
  WF_CHECK(bytes + kRest < kMaxBytes, path, ": the weights have ", bytes >> 20,
           " MiB, and an ONNX file holds less than ", kMaxBytes >> 20,
           ": export in float16, or a smaller model");
  std::string opset, data;
  Message<OpsetField>(opset).add_int64(OpsetField::version, kOpset);
  Message<ModelField> out(data);
  out.add_int64(ModelField::ir_version, kIrVersion);
  out.add_string(ModelField::producer_name, "weightformer");
  out.add_message(ModelField::graph, graph_message());
  out.add_message(ModelField::opset_import, opset);
  for (const auto& [key, value] : metadata_) {
    out.add_message(ModelField::metadata_props, encoded_entry(key, value));
  }
  write_text_file(path, data);
}

}  // namespace wf::onnx
