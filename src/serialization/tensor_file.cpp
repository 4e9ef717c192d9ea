#include "serialization/tensor_file.h"

#include "weightformer/core/check.h"

#include "core/text.h"
#include "core/zip_archive.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

namespace wf {
namespace {

using pickle::Dtype;
using pickle::Kind;
using pickle::Value;

constexpr std::pair<Dtype, at::ScalarType> kTypes[] = {
    {Dtype::f64, at::kDouble},    {Dtype::f32, at::kFloat}, {Dtype::f16, at::kHalf},
    {Dtype::bf16, at::kBFloat16}, {Dtype::i64, at::kLong},  {Dtype::i32, at::kInt},
    {Dtype::i16, at::kShort},     {Dtype::i8, at::kChar},   {Dtype::u8, at::kByte},
    {Dtype::boolean, at::kBool}};

// Callables that only malicious pickles use. Nothing is ever called; the list only decides whether
// the file is refused or the value is ignored.
bool is_malicious(const std::string& call) {
  constexpr const char* kModules[] = {
      "os.",      "posix.",      "nt.",        "subprocess.", "sys.", "runpy.", "shutil.",
      "socket.",  "ctypes.",     "importlib.", "commands.",   "pty.", "code.",  "pickle.",
      "marshal.", "webbrowser.", "torch.hub.", "timeit.",     "pdb."};
  constexpr const char* kFunctions[] = {"eval",    "exec",    "compile", "open",     "__import__",
                                        "getattr", "setattr", "input",   "execfile", "globals"};
  for (const char* module : kModules) {
    if (starts_with(call, module)) return true;
  }
  for (const std::string module : {"builtins.", "__builtin__."}) {
    for (const char* function : kFunctions) {
      if (starts_with(call, module + function + " ")) return true;
    }
  }
  return false;
}

class TreeCopy {
 public:
  TreeCopy(TensorFile& from, TensorTree& to) : from_(from), to_(to) {}

  Value* of(const Value& value) {
    // A small file can refer to the same list exponentially often.
    constexpr int64_t kMaxNodes = 4'000'000;
    WF_CHECK(++count_ <= kMaxNodes, from_.path(), ": its tree is too large to be written");
    if (value.is(Kind::tensor)) return to_.of(from_.tensor(value));
    auto* out = to_.document.make(value.kind);
    out->integer = value.integer;
    out->real = value.real;
    out->text = value.text;
    for (const auto* item : value.items) out->items.push_back(of(*item));
    return out;
  }

 private:
  TensorFile& from_;
  TensorTree& to_;
  int64_t count_ = 0;
};

}  // namespace

at::ScalarType scalar_type(Dtype dtype) { return kTypes[static_cast<size_t>(dtype)].second; }

Dtype file_dtype(at::ScalarType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == dtype) return ours;
  }
  throw Error(wf::str("cannot store tensors of dtype ", dtype));
}

std::shared_ptr<MappedFile> open_tensors(const std::string& path) {
  auto file = std::make_shared<MappedFile>(path, MappedFile::Access::copy_on_write);
  WF_CHECK(!file->bytes().empty(), path, ": the file is empty");
  return file;
}

bool is_torch(const MappedFile& file) {
  const bool torch = looks_like_torch(file.bytes());
  WF_CHECK(torch || looks_like_safetensors(file.bytes()), file.path(),
           ": neither a file of torch.save nor safetensors");
  return torch;
}

TensorFile::TensorFile(const std::string& path) : TensorFile(open_tensors(path)) {}

TensorFile::TensorFile(std::shared_ptr<MappedFile> file)
    : file_(std::move(file)), content_(parse_torch_file(file_->bytes(), file_->path())) {
  for (const auto& call : content_.document.calls) {
    WF_CHECK(!is_malicious(call), file_->path(), ": refused: its pickle calls ", call,
             "; nothing was executed. Get the weights from a trusted source");
  }
}

std::vector<ChecksummedRange> TensorFile::checksums() const {
  std::vector<ChecksummedRange> ranges;
  for (const auto& [key, region] : content_.storages) {
    if (region.crc) ranges.push_back({"data/" + key, region.offset, region.size, *region.crc});
  }
  return ranges;
}

at::Storage TensorFile::storage(const Value& value) {
  const auto found = storages_.find(value.text);
  if (found != storages_.end()) return found->second;
  const auto& region = content_.storages.at(value.text);
  char* address = file_->data() + region.offset;
  const auto bytes = static_cast<int64_t>(region.size);
  // from_blob's storage keeps the file mapped. The old format has no alignment: such data are
  // copied.
  auto base = at::from_blob(
      address, {bytes}, [file = file_](void*) {}, at::kByte);
  if (reinterpret_cast<uintptr_t>(address) % pickle::size_of(value.dtype) != 0) base = base.clone();
  return storages_.emplace(value.text, base.storage()).first->second;
}

at::Tensor TensorFile::tensor(const Value& value) {
  WF_CHECK(value.is(Kind::tensor), file_->path(),
           ": not a tensor: ", value.is(Kind::opaque) ? value.text : "a plain value");
  auto out = at::empty({0}, scalar_type(value.dtype));
  return out.set_(storage(*value.storage), value.integer, value.sizes, value.strides);
}

TensorMap TensorFile::tensors(const Value& dict) {
  TensorMap out;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const auto &key = *dict.items[i], &value = *dict.items[i + 1];
    if (!key.is(Kind::text)) continue;
    // _rebuild_sparse_tensor, _rebuild_qtensor, _rebuild_nested_tensor, …; or a damaged name.
    const bool special = value.text.find("._rebuild_") != std::string::npos ||
                         starts_with(value.text, "torch._utils.");
    WF_CHECK(!value.is(Kind::opaque) || !(special || starts_with(value.text, "tensor in ")),
             file_->path(), ": ", key.text.substr(0, 200), ": a ",
             special ? "tensor that is sparse, quantized or nested (" : "",
             value.text.substr(0, 200),
             special ? "): save it as a dense tensor" : ", which is not supported");
    if (value.is(Kind::tensor)) out[key.text] = tensor(value);
  }
  return out;
}

Value* TensorTree::of(const at::Tensor& tensor) {
  auto* storage = document.make(Kind::storage);
  storage->text = std::to_string(tensors_.size());
  storage->dtype = file_dtype(tensor.scalar_type());
  storage->integer = tensor.numel();
  auto* value = document.make(Kind::tensor);
  value->storage = storage;
  value->dtype = storage->dtype;
  value->sizes = tensor.sizes().vec();
  value->strides.assign(value->sizes.size(), 1);
  for (size_t i = value->sizes.size(); i-- > 1;) {
    value->strides[i - 1] = value->strides[i] * std::max<int64_t>(value->sizes[i], 1);
  }
  tensors_.push_back(tensor.detach());
  return value;
}

Value* TensorTree::of(const std::vector<std::string>& names, const TensorMap& tensors) {
  auto* dict = document.make(Kind::dict);
  for (const auto& name : names) document.put(dict, name, of(tensors.at(name)));
  return dict;
}

void TensorTree::copy_tensors() {
  for (auto& tensor : tensors_) {
    tensor = tensor.to(at::kCPU, tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true,
                       at::MemoryFormat::Contiguous);
  }
}

Value* TensorTree::copy_of(TensorFile& file) { return TreeCopy(file, *this).of(file.root()); }

void TensorTree::write(const std::string& path, const Value& root) const {
  AtomicFile file(path);
  ZipWriter zip(file);
  const auto tree = pickle::write(root);
  const auto add = [&](const std::string& name, const std::string& text) {
    zip.add("archive/" + name, text);
  };
  add("data.pkl", tree);
  add("byteorder", "little");
  for (size_t key = 0; key < tensors_.size(); ++key) {
    const auto tensor = tensors_[key].cpu().contiguous();
    zip.add("archive/data/" + std::to_string(key),
            {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  add("version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace wf
