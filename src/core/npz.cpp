#include "core/npz.h"

#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "core/registry.h"
#include "core/text.h"
#include "core/unpack_entry.h"
#include "core/zip_archive.h"

#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstring>

namespace wf {
namespace {

constexpr const char* kArray = ".npy";

std::string npy_bytes(const at::Tensor& array) {
  const auto data = array.cpu().contiguous();
  auto bytes = npy_header(data.scalar_type(), data.sizes().vec());
  bytes.append(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
  return bytes;
}

}  // namespace

at::Tensor NpzArray::rows(int64_t begin, int64_t end) const {
  auto shape = header.shape;
  shape.at(0) = end - begin;
  const auto out = at::empty(shape, header.type);
  const auto row = data.size() / static_cast<size_t>(std::max<int64_t>(header.shape[0], 1));
  if (out.numel() > 0) std::memcpy(out.data_ptr(), data.data() + begin * row, out.nbytes());
  return out;
}

NpzFile::NpzFile(const std::string& path)
    : file_(std::make_shared<const MappedFile>(path)),
      entries_(zip_entries(file_->bytes(), path)) {}

NpzFile::~NpzFile() = default;

const std::string& NpzFile::path() const { return file_->path(); }

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) {
    if (ends_with(entry.name, kArray)) {
      out.emplace_back(entry.name.substr(0, entry.name.size() - std::strlen(kArray)));
    }
  }
  return out;
}

const ZipEntry* NpzFile::find(const std::string& name) const {
  for (const auto& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

bool NpzFile::has(const std::string& name) const { return find(name + kArray) != nullptr; }

uint64_t NpzFile::size(const std::string& name) const {
  const auto* entry = find(name + kArray);
  WF_CHECK(entry, path(), ": has no ", name, "; it has ", join(names(), ", "));
  return entry->size;
}

UnpackedEntry NpzFile::unpack(const std::string& name) const {
  const auto* entry = find(name);
  WF_CHECK(entry, path(), ": has no ", name, "; it has ", join(names(), ", "));
  auto bytes = unpack_entry(file_, *entry);
  WF_CHECK(bytes.problem.empty(), path(), ": ", name, ": ", bytes.problem);
  return bytes;
}

NpzArray NpzFile::open(const std::string& name) const {
  const auto bytes = unpack(name + kArray);
  const auto header = parse_npy(bytes.data, str(path(), ": ", name));
  return {header, bytes.data.substr(header.data), bytes.owner};
}

at::Tensor NpzFile::read(const std::string& name) const {
  return read_npy(unpack(name + kArray).data, str(path(), ": ", name));
}

std::string NpzFile::text(const std::string& name) const { return std::string(unpack(name).data); }

void write_npz(const std::string& path, const NpzContent& content) {
  AtomicFile file(path);
  ZipWriter zip(file);
  for (const auto& [name, array] : content.arrays) zip.add(name + kArray, npy_bytes(array));
  for (const auto& [name, text] : content.texts) zip.add(name, text);
  zip.finish();
  file.commit();
}

}  // namespace wf
