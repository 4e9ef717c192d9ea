// Small zip archives, in the plain and in the 64-bit form.
#pragma once

#include "support/temp_dir.h"

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

namespace wf::testing {

struct ZipItem {
  std::string name, bytes;
  bool deflate = false;
};

inline std::string deflated(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class ZipBytes {
 public:
  ZipBytes& n16(uint64_t value) { return number(value, 2); }
  ZipBytes& n32(uint64_t value) { return number(value, 4); }
  ZipBytes& n64(uint64_t value) { return number(value, 8); }
  ZipBytes& text(const std::string& value) {
    bytes += value;
    return *this;
  }
  std::string bytes;

 private:
  ZipBytes& number(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> 8 * i & 255);
    return *this;
  }
};

/// `wide`: as in archives of more than 4 GB, with every size and offset in 64-bit fields.
inline std::string zip_bytes(const std::vector<ZipItem>& items, bool wide = false,
                             const std::string& comment = "") {
  ZipBytes out, directory;
  for (const auto& item : items) {
    const std::string stored = item.deflate ? deflated(item.bytes) : item.bytes;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(item.bytes.data()),
                           static_cast<uInt>(item.bytes.size()));
    const auto place = out.bytes.size(), method = size_t{item.deflate ? 8u : 0u};
    out.n32(0x04034b50).n16(20).n16(0).n16(method).n32(0).n32(crc).n32(stored.size());
    out.n32(item.bytes.size()).n16(item.name.size()).n16(6).text(item.name);
    out.text(std::string("\x99\x99\x02\x00go", 6)).text(stored);
    ZipBytes extra;
    if (wide) extra.n16(1).n16(24).n64(item.bytes.size()).n64(stored.size()).n64(place);
    const auto or_wide = [&](uint64_t value) { return wide ? 0xFFFFFFFFu : value; };
    directory.n32(0x02014b50).n16(20).n16(20).n16(0).n16(method).n32(0).n32(crc);
    directory.n32(or_wide(stored.size())).n32(or_wide(item.bytes.size())).n16(item.name.size());
    directory.n16(extra.bytes.size()).n16(0).n16(0).n16(0).n32(0).n32(or_wide(place));
    directory.text(item.name).text(extra.bytes);
  }
  const auto begin = out.bytes.size(), length = directory.bytes.size(), count = items.size();
  out.text(directory.bytes);
  if (wide) {
    const auto end = out.bytes.size();
    out.n32(0x06064b50).n64(44).n16(45).n16(45).n32(0).n32(0).n64(count).n64(count);
    out.n64(length).n64(begin).n32(0x07064b50).n32(0).n64(end).n32(1);
  }
  out.n32(0x06054b50).n16(0).n16(0).n16(wide ? 0xFFFF : count).n16(wide ? 0xFFFF : count);
  out.n32(wide ? 0xFFFFFFFF : length).n32(wide ? 0xFFFFFFFF : begin);
  return out.n16(comment.size()).text(comment).bytes;
}

}  // namespace wf::testing
