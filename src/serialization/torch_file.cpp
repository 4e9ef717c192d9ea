#include "serialization/torch_file.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/zip_archive.h"

#include <cstring>
#include <unordered_set>

namespace wf {
namespace {

// The number 0x1950a86a20f9469cfc6c, with which a file of the old format begins, as a pickle: the
// protocol, from 4 on a frame of 13 bytes, and the number.
constexpr std::string_view kMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr std::string_view kFrame{"\x95\x0d\0\0\0\0\0\0\0", 9};

// The bytes of the first pickle of the old format; 0 for another file.
size_t magic_size(std::string_view file) {
  if (file.size() < 2 || file[0] != '\x80' || file[1] < 2 || file[1] > 5) return 0;
  size_t at = 2;
  if (file.substr(at, kFrame.size()) == kFrame) at += kFrame.size();
  return file.substr(at, kMagic.size()) == kMagic ? at + kMagic.size() : 0;
}

// Every storage that a tensor refers to must exist and have the size that the pickle declares.
void check_storages(const TorchFile& content, const std::string& where) {
  for (const auto& value : content.document.values) {
    if (!value.is(pickle::Kind::storage)) continue;
    const auto found = content.storages.find(value.text);
    WF_CHECK(found != content.storages.end(), where, ": damaged: no data for storage ",
             value.text.substr(0, 100));
    uint64_t bytes = 0;
    WF_CHECK(!__builtin_mul_overflow(static_cast<uint64_t>(value.integer),
                                     uint64_t{pickle::size_of(value.dtype)}, &bytes) &&
                 bytes == found->second.size,
             where, ": damaged: storage ", value.text.substr(0, 100), " should have ",
             value.integer, " elements and has ", found->second.size, " bytes");
  }
}

// torch.load reads versions 1 to 10, and refuses a file without one.
void check_version(std::string_view text, const std::string& where) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const bool known = text == "10" || (text.size() == 1 && text[0] >= '1' && text[0] <= '9');
  WF_CHECK(known, where, ": damaged, or of a newer torch: its format has the version '",
           text.substr(0, 20), "', and this program reads 1 to 10");
}

TorchFile parse_zip(std::string_view file, const std::string& where) {
  TorchFile content;
  // All entries are in one directory, named after the file when it was saved.
  constexpr std::string_view kTree = "/data.pkl";
  const auto entries = zip_entries(file, where);
  const ZipEntry* tree = nullptr;
  std::unordered_set<std::string_view> names;
  for (const auto& entry : entries) {
    WF_CHECK(names.insert(entry.name).second, where, ": damaged: ", entry.name.substr(0, 200),
             " is in the archive twice");
    const auto slash = entry.name.find('/');
    if (slash == std::string_view::npos || entry.name.substr(slash) != kTree) continue;
    WF_CHECK(!tree, where, ": damaged: two files in one, ", tree->name, " and ", entry.name);
    tree = &entry;
  }
  WF_CHECK(tree, where, ": a zip archive, but not of torch.save: no data.pkl in it");
  const auto directory = tree->name.substr(0, tree->name.size() - kTree.size() + 1);
  std::string_view program, version;
  for (const auto& entry : entries) {
    if (entry.name.substr(0, directory.size()) != directory) continue;
    const auto name = entry.name.substr(directory.size());
    WF_CHECK(name != "constants.pkl" && name.substr(0, 5) != "code/", where,
             ": a TorchScript program, not a checkpoint: save its state_dict() instead");
    WF_CHECK(entry.plain(), where, ": ", name, " is compressed, which torch.save never does");
    const auto data = zip_data(file, entry);
    WF_CHECK(data, where, ": damaged: ", name, " has an invalid location in the archive");
    WF_CHECK(name != "byteorder" || *data != "big", where,
             ": written on a big-endian machine, which is not supported");
    WF_CHECK(name != "byteorder" || *data == "little", where, ": damaged: the byte order '",
             data->substr(0, 20), "'");
    if (name == "version") version = *data;
    if (&entry == tree) program = *data;
    if (name.substr(0, 5) != "data/") continue;
    // torch can be configured not to compute checksums; it then writes 0.
    content.storages[std::string(name.substr(5))] = {
        static_cast<uint64_t>(data->data() - file.data()), entry.size,
        entry.crc ? std::optional(entry.crc) : std::nullopt};
  }
  WF_CHECK(!tree->crc || checksum(program) == tree->crc, where,
           ": corrupted: checksum mismatch in data.pkl");
  content.document = pickle::read(program, where + ": data.pkl");
  check_version(version, where);
  return content;
}

// Four pickles (magic, version, system, the tree), the list of storage keys, then for each key the
// number of elements (int64) and the elements.
TorchFile parse_legacy(std::string_view file, const std::string& where) {
  uint64_t at = magic_size(file);
  const auto next = [&](const char* what) {
    auto document = pickle::read(file.substr(at), where + ": " + what);
    at += document.size;
    return document;
  };
  next("version");
  const auto system = next("system");
  const auto* little = system.root->find("little_endian");
  WF_CHECK(!little || little->integer == 1, where,
           ": written on a big-endian machine, which is not supported");
  TorchFile content;
  content.document = next("tree");
  std::map<std::string, const pickle::Value*> used;
  for (const auto& value : content.document.values) {
    if (value.is(pickle::Kind::storage)) used[value.text] = &value;
  }
  const auto keys = next("list of storages");
  WF_CHECK(keys.root->is(pickle::Kind::list), where, ": damaged: no list of storages");
  for (const auto* key : keys.root->items) {
    const auto found = used.find(key->text);
    WF_CHECK(found != used.end(), where, ": damaged: a storage that no tensor uses");
    int64_t count = 0;
    WF_CHECK(file.size() - at >= sizeof(count), where, ": truncated before storage ", key->text);
    std::memcpy(&count, file.data() + at, sizeof(count));
    at += sizeof(count);
    const uint64_t width = pickle::size_of(found->second->dtype);
    WF_CHECK(count >= 0 && static_cast<uint64_t>(count) <= (file.size() - at) / width, where,
             ": truncated in storage ", key->text);
    content.storages[key->text] = {at, static_cast<uint64_t>(count) * width, std::nullopt};
    at += static_cast<uint64_t>(count) * width;
  }
  return content;
}

}  // namespace

bool looks_like_torch(std::string_view file) {
  return looks_like_zip(file) || magic_size(file) > 0;
}

TorchFile parse_torch_file(std::string_view file, const std::string& where) {
  WF_CHECK(looks_like_torch(file), where, ": not a file of torch.save");
  auto content = looks_like_zip(file) ? parse_zip(file, where) : parse_legacy(file, where);
  check_storages(content, where);
  return content;
}

}  // namespace wf
