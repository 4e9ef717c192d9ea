#include "serialization/safetensors_header.h"

#include "weightformer/core/check.h"

#include "core/registry.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace wf {
namespace {

using nlohmann::json;
using pickle::Dtype;

// The format's own limit; it also bounds the work of the JSON parser on a malicious file.
constexpr uint64_t kMaxHeader = 100'000'000;
constexpr int kDepth = 4;  // a valid header has three levels

const Registry<Dtype>& dtypes() {
  static const Registry<Dtype> table("safetensors dtype", {{"F64", Dtype::f64},
                                                           {"F32", Dtype::f32},
                                                           {"F16", Dtype::f16},
                                                           {"BF16", Dtype::bf16},
                                                           {"I64", Dtype::i64},
                                                           {"I32", Dtype::i32},
                                                           {"I16", Dtype::i16},
                                                           {"I8", Dtype::i8},
                                                           {"U8", Dtype::u8},
                                                           {"BOOL", Dtype::boolean}});
  return table;
}

struct Outline {
  int depth = 0;    // levels of nesting
  size_t keys = 0;  // of the outermost object
};

// What the parser does not tell: it keeps the last of two equal keys, and asking it about each
// level by a callback takes time that grows with the square of the number of tensors.
Outline outline_of(std::string_view text) {
  Outline out;
  bool quoted = false;
  for (size_t i = 0, depth = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted) {
      i += c == '\\';  // skips what is escaped
      continue;
    }
    if (c == '{' || c == '[') out.depth = std::max(out.depth, static_cast<int>(++depth));
    if ((c == '}' || c == ']') && depth > 0) --depth;
    if (c == ':' && depth == 1) ++out.keys;
  }
  return out;
}

json parse_header(std::string_view file, const std::string& path, uint64_t& data_start) {
  uint64_t length = 0;
  WF_CHECK(file.size() >= sizeof(length), path, ": not a safetensors file: only ", file.size(),
           " bytes long");
  std::memcpy(&length, file.data(), sizeof(length));
  WF_CHECK(length <= kMaxHeader && length <= file.size() - sizeof(length), path,
           ": not a safetensors file, or truncated: it claims a header of ", length,
           " bytes and is ", file.size(), " bytes long");
  data_start = sizeof(length) + length;
  const auto text = file.substr(sizeof(length), length);
  const auto outline = outline_of(text);
  WF_CHECK(outline.depth <= kDepth, path,
           ": not a safetensors file: its header is nested deeper than ", kDepth, " levels");
  // The JSON parser takes a zero for the end of the text.
  WF_CHECK(text.find('\0') == std::string_view::npos, path, ": damaged: a zero byte in its header");
  json header = json::parse(text, nullptr, /*allow_exceptions=*/false);
  WF_CHECK(header.is_object(), path,
           ": not a safetensors file: its header is not a JSON object of tensors");
  WF_CHECK(header.size() == outline.keys, path, ": damaged: a name is in its header twice");
  return header;
}

SafetensorsEntry parse_entry(const json& value, const std::string& where, uint64_t data_size) try {
  SafetensorsEntry entry{dtypes().at(value.at("dtype").get<std::string>()), {}, 0, 0};
  uint64_t bytes = pickle::size_of(entry.dtype);
  for (const auto& size : value.at("shape")) {
    WF_CHECK(size.is_number_unsigned(), "shape must be a list of sizes");
    entry.shape.push_back(size.get<int64_t>());
    WF_CHECK(
        entry.shape.back() >= 0 && !__builtin_mul_overflow(bytes, size.get<uint64_t>(), &bytes),
        "the shape is too large");
  }
  const auto& offsets = value.at("data_offsets");
  WF_CHECK(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() &&
               offsets[1].is_number_unsigned(),
           "data_offsets must be two numbers");
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  WF_CHECK(entry.begin <= entry.end && entry.end <= data_size, "its data [", entry.begin, ", ",
           entry.end, ") is outside the file's ", data_size, " data bytes (truncated?)");
  WF_CHECK(entry.end - entry.begin == bytes, "its shape needs ", bytes, " bytes, its data has ",
           entry.end - entry.begin);
  return entry;
} catch (const std::exception& problem) {  // ours and nlohmann's
  throw Error(str(where, ": ", problem.what()));
}

}  // namespace

// As the format asks for: the tensors fill the data without gaps and without sharing bytes.
static void check_layout(const SafetensorsHeader& header, uint64_t data_size,
                         const std::string& where) {
  std::vector<const SafetensorsEntry*> order;
  for (const auto& item : header.tensors) order.push_back(&item.second);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const auto* entry : order) {
    WF_CHECK(entry->begin == at, where, ": damaged: the data of its tensors ",
             entry->begin < at ? "overlap" : "have a gap", " at byte ", std::min(at, entry->begin));
    at = entry->end;
  }
  WF_CHECK(at == data_size, where, ": damaged: ", data_size - at, " bytes of no tensor at its end");
}

SafetensorsHeader parse_safetensors_header(std::string_view file, const std::string& where) {
  SafetensorsHeader out;
  const json header = parse_header(file, where, out.data_start);
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      WF_CHECK(value.is_object(), where, ": __metadata__ must be an object");
      for (const auto& [key, text] : value.items()) {
        WF_CHECK(text.is_string(), where, ": metadata '", key, "' must be a string");
        out.metadata[key] = text.get<std::string>();
      }
      continue;
    }
    out.tensors[name] =
        parse_entry(value, str(where, ": tensor '", name, "'"), file.size() - out.data_start);
  }
  check_layout(out, file.size() - out.data_start, where);
  return out;
}

std::string safetensors_dtype(Dtype dtype) {
  for (const auto& name : dtypes().names()) {
    if (dtypes().at(name) == dtype) return name;
  }
  throw Error("safetensors: no name for this dtype");
}

}  // namespace wf
