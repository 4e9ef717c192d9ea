// The globals that a pickle may name, and the values made from them.
#include "weightformer/core/check.h"

#include "serialization/pickle_machine.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace wf::pickle {
namespace {

// Deeper than any checkpoint; code that walks a document may then recurse.
constexpr int kMaxLevels = 100;
constexpr size_t kMaxDims = 64;  // PyTorch's own limit

struct DtypeInfo {
  Dtype dtype;
  size_t bytes;
  const char *name, *storage;
};
constexpr std::array<DtypeInfo, 10> kDtypes{{
    {Dtype::f64, 8, "float64", "DoubleStorage"},
    {Dtype::f32, 4, "float32", "FloatStorage"},
    {Dtype::f16, 2, "float16", "HalfStorage"},
    {Dtype::bf16, 2, "bfloat16", "BFloat16Storage"},
    {Dtype::i64, 8, "int64", "LongStorage"},
    {Dtype::i32, 4, "int32", "IntStorage"},
    {Dtype::i16, 2, "int16", "ShortStorage"},
    {Dtype::i8, 1, "int8", "CharStorage"},
    {Dtype::u8, 1, "uint8", "ByteStorage"},
    {Dtype::boolean, 1, "bool", "BoolStorage"},
}};

const DtypeInfo& info(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)]; }

enum class Known { dict, set, size, bytes, tensor_v1, tensor_v2, tensor_v3, parameter, from_type };

const Known* known(const std::string& name) {
  static const std::unordered_map<std::string, Known> table{
      {"collections.OrderedDict", Known::dict},
      {"builtins.dict", Known::dict},
      {"__builtin__.dict", Known::dict},
      {"yacs.config.CfgNode", Known::dict},
      {"builtins.set", Known::set},
      {"__builtin__.set", Known::set},
      {"torch.Size", Known::size},
      {"_codecs.encode", Known::bytes},
      {"torch._utils._rebuild_tensor", Known::tensor_v1},
      {"torch._utils._rebuild_tensor_v2", Known::tensor_v2},
      {"torch._utils._rebuild_tensor_v3", Known::tensor_v3},
      {"torch._utils._rebuild_parameter", Known::parameter},
      {"torch._utils._rebuild_parameter_with_state", Known::parameter},
      {"torch._tensor._rebuild_from_type_v2", Known::from_type},
  };
  const auto found = table.find(name);
  return found == table.end() ? nullptr : &found->second;
}

}  // namespace

size_t size_of(Dtype dtype) { return info(dtype).bytes; }
const char* name_of(Dtype dtype) { return info(dtype).name; }
const char* storage_of(Dtype dtype) { return info(dtype).storage; }

const Value* Value::find(std::string_view key) const {
  if (kind != Kind::dict) return nullptr;
  const Value* found = nullptr;  // the last of equal keys counts, as in Python
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i]->is(Kind::text) && items[i]->text == key) found = items[i + 1];
  }
  return found;
}

std::string Value::as_key() const {
  if (is(Kind::text)) return text;
  return is(Kind::integer) ? std::to_string(integer) : "?";
}

Value* Machine::global(std::string_view module, std::string_view name) {
  return copy_text(Kind::global, std::string(module).append(".").append(name));
}

Value* Machine::opaque(const Value& callee, bool called) {
  const auto& name = callee.text;
  // Each once: whoever refuses a file must see all of them.
  if (called && callee.is(Kind::global) && called_.insert(name).second) {
    document_.calls.push_back(str(name.substr(0, 100), " at byte ", opcode_at_));
  }
  if (!callee.is(Kind::global))
    return make(Kind::opaque, "a call of a value that is not a function");
  return copy_text(Kind::opaque, name);
}

void Machine::copy_members(Value& target, const Value& source) {
  require(source.is(Kind::list) || source.is(Kind::tuple) || source.is(Kind::set),
          "a list was expected");
  spend(source.items.size());
  target.items = source.items;
}

void Machine::copy_pairs(Value& target, const Value& source) {
  spend(2 * source.items.size());
  if (source.is(Kind::dict)) {
    target.items = source.items;
    return;
  }
  require(source.is(Kind::list) || source.is(Kind::tuple), "a list of pairs was expected");
  for (const auto* pair : source.items) {
    require((pair->is(Kind::tuple) || pair->is(Kind::list)) && pair->items.size() == 2,
            "a list of pairs was expected");
    target.items.insert(target.items.end(), pair->items.begin(), pair->items.end());
  }
}

Value* Machine::call(const Value& callee, const Value& arguments, bool is_class) {
  require(arguments.is(Kind::tuple), "a call without a tuple of arguments");
  const auto* what = callee.is(Kind::global) ? known(callee.text) : nullptr;
  if (!what) return opaque(callee, /*called=*/!is_class);
  const auto& given = arguments.items;
  switch (*what) {
    case Known::dict: {
      auto* dict = make(Kind::dict);
      if (!given.empty()) copy_pairs(*dict, *given[0]);
      return dict;
    }
    case Known::set:
    case Known::size: {
      auto* value = make(*what == Known::set ? Kind::set : Kind::tuple);
      if (!given.empty()) copy_members(*value, *given[0]);
      return value;
    }
    case Known::bytes: {  // protocol 2 spells bytes as latin-1 text
      require(!given.empty() && given[0]->is(Kind::text), "bytes without their text");
      return copy_text(Kind::bytes, given[0]->text);
    }
    case Known::tensor_v1:
    case Known::tensor_v2:
    case Known::tensor_v3:
      return tensor(arguments);
    case Known::parameter:
      require(!given.empty(), "a parameter without a tensor");
      return given[0];
    case Known::from_type: {  // (function, type, its arguments, state): a subclass of Tensor
      const bool plain = given.size() >= 3 && given[0]->is(Kind::global) && known(given[0]->text) &&
                         *known(given[0]->text) != Known::from_type;
      return plain ? call(*given[0], *given[2], is_class) : opaque(callee, true);
    }
  }
  fail("unknown");
}

Value* Machine::persistent(const Value& id) {
  const auto& parts = id.items;
  if (id.is(Kind::tuple) && !parts.empty() && parts[0]->is(Kind::text) &&
      parts[0]->text == "module" && parts.size() >= 2) {
    return parts[1];  // the old format: (module, class, source file, source)
  }
  require(id.is(Kind::tuple) && parts.size() >= 5 && parts[0]->is(Kind::text) &&
              parts[0]->text == "storage" && parts[1]->is(Kind::global) &&
              parts[2]->is(Kind::text) && parts[4]->is(Kind::integer),
          "not a reference to a storage");
  require(parts.size() < 6 || parts[5]->is(Kind::none), "a storage inside another (PyTorch 0.1)");
  require(parts[4]->integer >= 0, "a storage of negative size");
  const auto& type = parts[1]->text;
  const auto dot = type.rfind('.');
  const auto name = dot == std::string::npos ? type : type.substr(dot + 1);
  const auto storage = [&](Dtype dtype) {
    auto* value = copy_text(Kind::storage, parts[2]->text);
    value->integer = parts[4]->integer;
    value->dtype = dtype;
    return value;
  };
  for (const auto& dtype : kDtypes) {
    if (name == dtype.storage) return storage(dtype.dtype);
  }
  return name == "UntypedStorage" ? storage(Dtype::u8) : copy_text(Kind::opaque, type);
}

// The last argument may hold attributes; with this one the values are those of the storage,
// negated.
static bool has_negative_bit(const std::vector<Value*>& given) {
  const auto* negative = given.back()->find("neg");
  return negative && negative->is(Kind::boolean) && negative->integer != 0;
}

// (storage, offset, sizes, strides, …): the arguments of torch._utils._rebuild_tensor*.
Value* Machine::tensor(const Value& arguments) {
  const auto& given = arguments.items;
  require(given.size() >= 4, "a tensor needs a storage, offset, sizes and strides");
  if (given[0]->is(Kind::opaque)) return copy_text(Kind::opaque, "tensor in " + given[0]->text);
  const auto dims = [](const Value& value) {
    return (value.is(Kind::tuple) || value.is(Kind::list)) && value.items.size() <= kMaxDims;
  };
  require(given[0]->is(Kind::storage) && given[1]->is(Kind::integer) && dims(*given[2]) &&
              dims(*given[3]) && given[2]->items.size() == given[3]->items.size(),
          "a tensor needs a storage, offset, sizes and strides");
  auto* value = make(Kind::tensor);
  value->storage = given[0];
  value->dtype = given[0]->dtype;
  value->integer = given[1]->integer;
  for (size_t i = 0; i < given[2]->items.size(); ++i) {
    const auto *size = given[2]->items[i], *stride = given[3]->items[i];
    require(size->is(Kind::integer) && stride->is(Kind::integer), "a size that is not a number");
    value->sizes.push_back(size->integer);
    value->strides.push_back(stride->integer);
  }
  // v3 names the dtype apart from an untyped storage.
  if (given.size() >= 7 && given[6]->is(Kind::global)) {
    const auto same = [&](const auto& dtype) {
      return given[6]->text == std::string("torch.") + dtype.name;
    };
    const auto dtype = std::find_if(std::begin(kDtypes), std::end(kDtypes), same);
    if (dtype == std::end(kDtypes)) return copy_text(Kind::opaque, "tensor in " + given[6]->text);
    value->dtype = dtype->dtype;
  }
  if (has_negative_bit(given)) return make(Kind::opaque, "tensor in negative view (resolve_neg())");
  check_tensor(*value);
  return value;
}

// Every element must be in the storage that the pickle declares; torch_file checks whether the
// file has that much.
void Machine::check_tensor(const Value& tensor) const {
  int64_t last = tensor.integer, elements = 1, bytes = 0;
  require(last >= 0, "a tensor at a negative offset");
  bool fits = true;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    const int64_t size = tensor.sizes[i], stride = tensor.strides[i];
    require(size >= 0 && stride >= 0, "a tensor with a negative size or stride");
    fits = fits && !__builtin_mul_overflow(elements, size, &elements);
    int64_t reach = 0;
    fits = fits && !__builtin_mul_overflow(std::max<int64_t>(size, 1) - 1, stride, &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  int64_t capacity = 0;
  fits = fits &&
         !__builtin_mul_overflow(tensor.storage->integer,
                                 static_cast<int64_t>(size_of(tensor.storage->dtype)), &capacity);
  const auto width = static_cast<int64_t>(size_of(tensor.dtype));
  fits = fits && !__builtin_add_overflow(last, int64_t{1}, &last) &&
         !__builtin_mul_overflow(last, width, &bytes);
  require(fits && (elements == 0 || bytes <= capacity), "a tensor reaches outside its storage");
}

void Machine::build(Value& object, const Value& state) {
  // The state of a dict subclass are its attributes (OrderedDict's _metadata, CfgNode's flags):
  // not needed to read a checkpoint. Opaque values stay opaque.
  require(object.is(Kind::dict) || object.is(Kind::opaque) || object.is(Kind::global) ||
              object.is(Kind::tensor) || object.is(Kind::set) || object.is(Kind::list),
          "attributes for a plain value");
  static_cast<void>(state);
}

void Machine::add_items(Value& target, const std::vector<Value*>& items) {
  if (target.is(Kind::opaque)) return;
  require(target.is(Kind::list) || target.is(Kind::dict) || target.is(Kind::set),
          "items for a value that is not a container");
  if (target.is(Kind::dict)) {
    require(items.size() % 2 == 0, "a key without a value");
    for (size_t i = 0; i < items.size(); i += 2) {
      const auto kind = items[i]->kind;
      require(kind != Kind::list && kind != Kind::dict && kind != Kind::set,
              "an unhashable key of a dict");
    }
  }
  target.items.insert(target.items.end(), items.begin(), items.end());
}

// Levels below every value, found without recursion; refuses cycles.
void Machine::check_depth(const Value& root) const {
  struct Open {
    const Value* value;
    size_t next;
    int below;
  };
  constexpr int kOpen = -1;
  std::unordered_map<const Value*, int> levels;
  std::vector<Open> path{{&root, 0, 0}};
  levels[&root] = kOpen;
  while (!path.empty()) {
    auto& open = path.back();
    if (open.next == open.value->items.size()) {
      const int own = open.below + 1;
      require(own <= kMaxLevels, "values nested deeper than 100 levels");
      levels[open.value] = own;
      path.pop_back();
      if (!path.empty()) path.back().below = std::max(path.back().below, own);
      continue;
    }
    const auto* item = open.value->items[open.next++];
    if (item->items.empty()) continue;
    const auto [seen, fresh] = levels.emplace(item, kOpen);
    if (fresh) {
      path.push_back({item, 0, 0});
    } else {
      require(seen->second != kOpen, "a container that contains itself");
      open.below = std::max(open.below, seen->second);
    }
  }
}

}  // namespace wf::pickle
