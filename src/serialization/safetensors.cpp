#include "weightformer/serialization/safetensors.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/checksum.h"
#include "core/mapped_file.h"
#include "serialization/safetensors_header.h"
#include "serialization/tensor_file.h"

#include <ATen/ops/from_blob.h>
#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdio>
#include <memory>

namespace wf {
namespace {

using nlohmann::json;

// Metadata key of our own files: CRC-32 of everything after the header, in hexadecimal.
const std::string kChecksum = "crc32";

std::string hex(uint32_t value) {
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", value);
  return text;
}

uint32_t number_in(const std::string& hex, const std::string& path) {
  uint32_t value = 0;
  const auto end = hex.data() + hex.size();
  WF_CHECK(std::from_chars(hex.data(), end, value, 16).ptr == end, path,
           ": corrupted: its checksum is not a number");
  return value;
}

at::Tensor in_file_order(const at::Tensor& tensor) { return tensor.detach().cpu().contiguous(); }

at::Tensor tensor_in(const std::shared_ptr<MappedFile>& file, uint64_t position,
                     const SafetensorsEntry& entry) {
  char* address = file->data() + position;
  const auto dtype = scalar_type(entry.dtype);
  // A header of odd length misaligns the tensors after it; they are copied.
  if (reinterpret_cast<uintptr_t>(address) % pickle::size_of(entry.dtype) != 0) {
    auto bytes = at::from_blob(address, {static_cast<int64_t>(entry.end - entry.begin)}, at::kByte);
    return bytes.clone().view(dtype).view(entry.shape);
  }
  return at::from_blob(
      address, entry.shape, [file](void*) {}, at::TensorOptions().dtype(dtype));
}

}  // namespace

bool looks_like_safetensors(std::string_view file) { return file.size() > 8 && file[8] == '{'; }

Safetensors read_safetensors(const std::string& path) {
  const auto file = open_tensors(path);
  auto content = read_safetensors(file);
  verify(*file, content.checksums);
  content.checksums.clear();
  return content;
}

Safetensors read_safetensors(const std::shared_ptr<MappedFile>& file) {
  const auto& path = file->path();
  auto header = parse_safetensors_header(file->bytes(), path);
  Safetensors content;
  content.metadata = std::move(header.metadata);
  for (const auto& [name, entry] : header.tensors) {
    content.tensors[name] = tensor_in(file, header.data_start + entry.begin, entry);
  }
  const auto given = content.metadata.extract(kChecksum);
  if (!given.empty()) {
    content.checksums = {{"its data", header.data_start, file->bytes().size() - header.data_start,
                          number_in(given.mapped(), path)}};
  }
  return content;
}

void write_safetensors(const std::string& path, const Safetensors& content) {
  json header = json::object();
  uint64_t offset = 0;
  uint32_t sum = 0;
  for (const auto& [name, tensor] : content.tensors) {
    const uint64_t end = offset + tensor.nbytes();
    const auto plain = in_file_order(tensor);
    sum = checksum({static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()}, sum);
    header[name] = {{"dtype", safetensors_dtype(file_dtype(tensor.scalar_type()))},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  auto metadata = content.metadata;
  metadata[kChecksum] = hex(sum);
  header["__metadata__"] = metadata;
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data aligned; the format allows it
  const uint64_t length = text.size();

  AtomicFile file(path);
  file.write(&length, sizeof(length));
  file.write(text.data(), text.size());
  for (const auto& item : content.tensors) {
    const auto tensor = in_file_order(item.second);
    file.write(tensor.data_ptr(), tensor.nbytes());
  }
  file.commit();
}

}  // namespace wf
