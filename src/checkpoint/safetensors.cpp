#include "weightformer/checkpoint/safetensors.h"

#include "weightformer/core/atomic_file.h"
#include "weightformer/core/check.h"
#include "weightformer/core/registry.h"

#include <ATen/ops/from_blob.h>
#include <nlohmann/json.hpp>
#include <torch/nn/module.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace wf {
namespace {

using nlohmann::json;

// The format's own limit; it also bounds what a hostile file can make the JSON parser do.
constexpr uint64_t kMaxHeader = 100'000'000;

const Registry<at::ScalarType>& dtypes() {
  static const Registry<at::ScalarType> table("safetensors dtype", {{"F64", at::kDouble},
                                                                    {"F32", at::kFloat},
                                                                    {"F16", at::kHalf},
                                                                    {"BF16", at::kBFloat16},
                                                                    {"I64", at::kLong},
                                                                    {"I32", at::kInt},
                                                                    {"I16", at::kShort},
                                                                    {"I8", at::kChar},
                                                                    {"U8", at::kByte},
                                                                    {"BOOL", at::kBool}});
  return table;
}

std::string dtype_name(at::ScalarType dtype) {
  for (const auto& name : dtypes().names()) {
    if (dtypes().at(name) == dtype) return name;
  }
  throw Error(wf::str("safetensors: cannot store dtype ", dtype));
}

// A private, writable map of a whole file: copy-on-write, so tensors can be changed freely.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    WF_CHECK(descriptor >= 0, path, ": cannot open: ", std::strerror(errno));
    struct stat status {};
    const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
    size_ = regular ? static_cast<uint64_t>(status.st_size) : 0;
    void* address = size_ > 0
                        ? ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0)
                        : MAP_FAILED;
    ::close(descriptor);
    WF_CHECK(regular, path, ": not a file");
    WF_CHECK(size_ > 0, path, ": the file is empty");
    WF_CHECK(address != MAP_FAILED, path, ": cannot map the file: ", std::strerror(errno));
    data_ = static_cast<char*>(address);
  }
  ~MappedFile() {
    if (data_) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  uint64_t size_ = 0;
};

json parse_header(const MappedFile& file, const std::string& path, uint64_t& data_start) {
  uint64_t length = 0;
  WF_CHECK(file.size() >= sizeof(length), path, ": not a safetensors file: only ", file.size(),
           " bytes long");
  std::memcpy(&length, file.data(), sizeof(length));
  WF_CHECK(length <= kMaxHeader && length <= file.size() - sizeof(length), path,
           ": not a safetensors file, or cut short: it claims a header of ", length,
           " bytes and is ", file.size(), " bytes long");
  data_start = sizeof(length) + length;
  // Nesting is bounded by the parser callback: a valid header has three levels.
  bool too_deep = false;
  const char* begin = file.data() + sizeof(length);
  const auto depth_limit = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > 4;
    return !too_deep;
  };
  json header = json::parse(begin, begin + length, depth_limit, /*allow_exceptions=*/false);
  WF_CHECK(!too_deep && header.is_object(), path,
           ": not a safetensors file: its header is not a JSON object of tensors");
  return header;
}

struct Entry {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};

Entry parse_entry(const json& value, const std::string& where, uint64_t data_size) try {
  Entry entry{dtypes().at(value.at("dtype").get<std::string>()), {}, 0, 0};
  uint64_t bytes = c10::elementSize(entry.dtype);
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
           entry.end, ") lies outside the file's ", data_size, " data bytes (cut short?)");
  WF_CHECK(entry.end - entry.begin == bytes, "its shape needs ", bytes, " bytes, its data has ",
           entry.end - entry.begin);
  return entry;
} catch (const std::exception& problem) {  // ours and nlohmann's
  throw Error(str(where, ": ", problem.what()));
}

at::Tensor tensor_in(const std::shared_ptr<MappedFile>& file, uint64_t position,
                     const Entry& entry) {
  char* address = file->data() + position;
  auto options = at::TensorOptions().dtype(entry.dtype);
  // A header of odd length misaligns everything behind it; such tensors are copied out.
  if (reinterpret_cast<uintptr_t>(address) % c10::elementSize(entry.dtype) != 0) {
    auto bytes = at::from_blob(address, {static_cast<int64_t>(entry.end - entry.begin)}, at::kByte);
    return bytes.clone().view(entry.dtype).view(entry.shape);
  }
  return at::from_blob(
      address, entry.shape, [file](void*) {}, options);
}

std::vector<std::string> unmatched(const TensorMap& from, const TensorMap& in) {
  std::vector<std::string> names;
  for (const auto& item : from) {
    if (!in.count(item.first)) names.push_back(item.first);
  }
  constexpr size_t kShown = 8;
  if (names.size() > kShown) {
    const size_t hidden = names.size() - kShown;
    names.resize(kShown);
    names.push_back(str("… and ", hidden, " more"));
  }
  return names;
}

}  // namespace

Safetensors read_safetensors(const std::string& path) {
  const auto file = std::make_shared<MappedFile>(path);
  uint64_t data_start = 0;
  const json header = parse_header(*file, path, data_start);
  Safetensors content;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      WF_CHECK(value.is_object(), path, ": __metadata__ must be an object");
      for (const auto& [key, text] : value.items()) {
        WF_CHECK(text.is_string(), path, ": metadata '", key, "' must be a string");
        content.metadata[key] = text.get<std::string>();
      }
      continue;
    }
    const auto entry =
        parse_entry(value, str(path, ": tensor '", name, "'"), file->size() - data_start);
    content.tensors[name] = tensor_in(file, data_start + entry.begin, entry);
  }
  return content;
}

void write_safetensors(const std::string& path, const Safetensors& content) {
  json header = json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    const uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", dtype_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data aligned; the format allows it
  const uint64_t length = text.size();

  AtomicFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& item : content.tensors) {
    const auto tensor = item.second.detach().cpu().contiguous();
    file.write(tensor.data_ptr(), tensor.nbytes());
  }
  file.commit();
}

TensorMap state_dict(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

void load_weights(torch::nn::Module& module, const TensorMap& weights, const std::string& source) {
  const auto state = state_dict(module);
  const auto missing = unmatched(state, weights), surplus = unmatched(weights, state);
  WF_CHECK(missing.empty() && surplus.empty(), source, ": not the weights of this model: ",
           missing.empty() ? "" : "missing " + join(missing, ", "),
           missing.empty() || surplus.empty() ? "" : "; ",
           surplus.empty() ? "" : "surplus " + join(surplus, ", "));
  for (const auto& [name, tensor] : weights) {
    WF_CHECK(tensor.sizes() == state.at(name).sizes(), source, ": ", name, " is ", tensor.sizes(),
             " in the file and ", state.at(name).sizes(), " in the model");
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : weights) at::Tensor(state.at(name)).copy_(tensor);
}

void load_weights(torch::nn::Module& module, const std::string& path) {
  load_weights(module, read_safetensors(path).tensors, path);
}

}  // namespace wf
