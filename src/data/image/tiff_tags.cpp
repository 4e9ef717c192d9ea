#include "data/image/tiff_tags.h"

#include <cstddef>
#include <iterator>

namespace wf {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes), little_(bytes[0] == 'I') {}

  bool has(uint64_t at, uint64_t count) const {
    return at <= bytes_.size() && count <= bytes_.size() - at;
  }
  uint64_t number(size_t at, size_t size) const {
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t from = little_ ? at + size - 1 - i : at + i;
      value = value << 8 | static_cast<uint8_t>(bytes_[from]);
    }
    return value;
  }

 private:
  std::string_view bytes_;
  bool little_;
};

// 0 for an unknown type.
size_t size_of_type(uint16_t type) {
  constexpr size_t kSizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

bool is_unsigned(uint16_t type) {
  constexpr uint16_t kByte = 1, kShort = 3, kLong = 4, kLong8 = 16;
  return type == kByte || type == kShort || type == kLong || type == kLong8;
}

}  // namespace

std::optional<std::map<uint16_t, TiffTag>> tiff_tags(std::string_view bytes) {
  if (bytes.size() < 16) return std::nullopt;
  const Reader file(bytes);
  const bool big = file.number(2, 2) == 43;
  const size_t word = big ? 8 : 4, count_size = big ? 8 : 2;
  const uint64_t directory = file.number(big ? 8 : 4, word);
  if (!file.has(directory, count_size)) return std::nullopt;
  const uint64_t entries = file.number(directory, count_size);
  const size_t entry_size = 4 + 2 * word;
  if (entries > UINT16_MAX || !file.has(directory + count_size, entries * entry_size)) {
    return std::nullopt;
  }
  std::map<uint16_t, TiffTag> tags;
  for (uint64_t i = 0; i < entries; ++i) {
    const size_t at = directory + count_size + i * entry_size;
    TiffTag tag;
    const auto type = static_cast<uint16_t>(file.number(at + 2, 2));
    const size_t size = size_of_type(type);
    tag.integers = is_unsigned(type);
    tag.count = file.number(at + 4, word);
    if (size > 0 && tag.count > word / size) {
      // The values stand elsewhere.
      const uint64_t place = file.number(at + 4 + word, word);
      if (tag.count > bytes.size() || !file.has(place, tag.count * size)) return std::nullopt;
    } else if (tag.integers && tag.count > 0) {
      tag.first = file.number(at + 4 + word, size);
    }
    if (!tags.emplace(static_cast<uint16_t>(file.number(at, 2)), tag).second) return std::nullopt;
  }
  return tags;
}

}  // namespace wf
