// Python's pickle format, read and written as plain data. Needs no torch and no Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace wf::pickle {

enum class Kind {
  none,
  boolean,
  integer,
  real,
  text,
  bytes,
  list,
  tuple,
  set,
  dict,
  global,   ///< a name such as "collections.OrderedDict"; nothing is looked up
  storage,  ///< the memory of tensors, by its key in the file
  tensor,
  opaque,  ///< the result of an unknown global; `text` names it
};

enum class Dtype : uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

/// Bytes of an element.
size_t size_of(Dtype dtype);
/// PyTorch's name: "float32".
const char* name_of(Dtype dtype);
/// PyTorch's storage class: "FloatStorage".
const char* storage_of(Dtype dtype);

/// One node. Owned by a Document; nodes may be shared, cycles do not occur.
struct Value {
  Kind kind = Kind::none;
  Dtype dtype = Dtype::f32;             ///< storage, tensor
  int64_t integer = 0;                  ///< boolean, integer; elements of a storage; tensor: offset
  double real = 0;                      ///< real
  std::string text;                     ///< text, bytes, global, opaque; key of a storage
  std::vector<Value*> items;            ///< list, tuple, set; dict: key, value, key, value, …
  std::vector<int64_t> sizes, strides;  ///< tensor, in elements
  Value* storage = nullptr;             ///< tensor

  bool is(Kind k) const { return kind == k; }
  /// The value under a text key of a dict; null when there is none or this is not a dict.
  const Value* find(std::string_view key) const;
  /// As a step of a path: a text or an integer, "?" for another kind of key.
  std::string as_key() const;
};

/// The content of a pickle.
struct Document {
  std::deque<Value> values;  ///< owns all nodes
  const Value* root = nullptr;
  size_t size = 0;  ///< bytes read
  /// Unknown globals that a Python reader would have called, each once, with the first place:
  /// "posix.system at byte 8832".
  std::vector<std::string> calls;

  Value* make(Kind kind);
  Value* none() { return make(Kind::none); }
  Value* of(bool value);
  Value* of(int64_t value);
  Value* of(double value);
  Value* of(std::string_view value);
  Value* of(const char* value) { return of(std::string_view(value)); }
  Value* of(const std::string& value) { return of(std::string_view(value)); }
  /// Adds a pair to a dict and returns the value.
  Value* put(Value* dict, std::string_view key, Value* value);
};

/// Reads one pickle, protocols 0 to 5, from the start of `data`. A fixed set of globals is known
/// (tensors, storages, OrderedDict, set, torch.Size, yacs' CfgNode); any other becomes an opaque
/// value. Nothing is ever imported or called. Throws wf::Error in one line, "where: at byte N: …",
/// for anything malformed and beyond these limits: 64 MiB, a million values, 100 levels.
Document read(std::string_view data, const std::string& where);

/// `root` as a pickle of protocol 2, as torch.save writes it. Opaque values and globals become
/// None.
std::string write(const Value& root);

}  // namespace wf::pickle
