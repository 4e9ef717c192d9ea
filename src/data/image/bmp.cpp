#include "data/image/bmp.h"

#include "core/little_endian.h"
#include "data/image/color.h"
#include "data/image/decode.h"

#include <algorithm>
#include <array>
#include <vector>

namespace wf {
namespace {

enum Compression : uint32_t { kRaw, kRle8, kRle4, kBitFields };

// Where the bits of red, green and blue are in a pixel of 2, 3 or 4 bytes.
struct Masks {
  std::array<uint32_t, 4> masks;  // red, green, blue, alpha
  std::array<int, 3> shifts;
  std::array<uint32_t, 3> largest;
};

constexpr std::array<uint32_t, 3> kBytes{255, 255, 255};
constexpr Masks k555{{0x7c00, 0x3e0, 0x1f, 0}, {10, 5, 0}, {31, 31, 31}};
constexpr Masks k565{{0xf800, 0x7e0, 0x1f, 0}, {11, 5, 0}, {31, 63, 31}};
constexpr Masks kBgr{{0xff0000, 0xff00, 0xff, 0}, {16, 8, 0}, kBytes};

// The layouts of 32 bits that PIL knows.
constexpr std::array<Masks, 8> k32 = {{
    kBgr,
    {{0xff000000, 0xff0000, 0xff00, 0}, {24, 16, 8}, kBytes},
    {{0xff000000, 0xff00, 0xff, 0}, {24, 8, 0}, kBytes},
    {{0xff000000, 0xff0000, 0xff00, 0xff}, {24, 16, 8}, kBytes},
    {{0xff, 0xff00, 0xff0000, 0xff000000}, {0, 8, 16}, kBytes},
    {{0xff0000, 0xff00, 0xff, 0xff000000}, {16, 8, 0}, kBytes},
    {{0xff000000, 0xff00, 0xff, 0xff0000}, {24, 8, 0}, kBytes},
    {{0, 0, 0, 0}, {16, 8, 0}, kBytes},
}};

class Bmp {
 public:
  Bmp(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {
    need(bytes.size() >= 18, "cut off in its header");
    header_ = number<uint32_t>(14);
    const std::array<uint32_t, 7> known{12, 40, 52, 56, 64, 108, 124};
    need(std::find(known.begin(), known.end(), header_) != known.end(), "unknown kind of header");
    need(bytes.size() >= 14 + size_t{header_}, "cut off in its header");
    header_ == 12 ? read_os2_header() : read_windows_header();
    need(width_ > 0 && height_ > 0, "a side of 0 pixels");
    check_pixels(width_, height_, name_);
    begin_ = number<uint32_t>(10);
    after_header_ = 14 + size_t{header_};
    if (compression_ == kBitFields) {
      read_masks();
    } else if (bits_ > 8) {
      masks_ = bits_ == 16 ? k555 : kBgr;
    }
    if (bits_ <= 8) read_palette();
    if (begin_ == 0) begin_ = after_header_;
  }

  Image decode() {
    Image image{static_cast<int>(height_), static_cast<int>(width_), {}};
    const bool runs = compression_ == kRle8 || compression_ == kRle4;
    const size_t stride = (width_ * bits_ + 31) / 32 * 4;
    const size_t row_bytes = (width_ * bits_ + 7) / 8;
    if (!runs) {
      need(begin_ <= bytes_.size() && bytes_.size() - begin_ >= stride * (height_ - 1) + row_bytes,
           "cut off: some of its rows are missing");
    }
    const std::string indices = runs ? unpack_runs() : std::string();
    image.pixels.resize(width_ * height_ * 3);
    for (size_t row = 0; row < height_; ++row) {
      uint8_t* to = image.pixels.data() + (top_down_ ? row : height_ - 1 - row) * width_ * 3;
      if (runs) {
        show_indices(indices.data() + row * width_, 8, to);
      } else if (bits_ <= 8) {
        show_indices(bytes_.data() + begin_ + row * stride, bits_, to);
      } else {
        show_colors(begin_ + row * stride, to);
      }
    }
    return image;
  }

 private:
  void need(bool good, const char* why) const {
    if (!good) throw UnreadableImage(str(name_, ": damaged BMP, or one of an unknown kind: ", why));
  }
  template <typename T>
  T number(size_t at) const {
    return load_number<T>(bytes_, at);
  }

  void read_os2_header() {
    width_ = number<uint16_t>(18);
    height_ = number<uint16_t>(20);
    bits_ = number<uint16_t>(24);
    colors_ = 0;
    check_bits();
  }

  void read_windows_header() {
    width_ = number<uint32_t>(18);
    // PIL tells a negative height by its highest byte.
    const auto height = number<uint32_t>(22);
    top_down_ = height >> 24 == 0xff;
    height_ = top_down_ ? (uint64_t{1} << 32) - height : height;
    bits_ = number<uint16_t>(28);
    compression_ = number<uint32_t>(30);
    colors_ = number<uint32_t>(46);
    check_bits();
    need(compression_ <= kBitFields, "its compression is none of raw, RLE8, RLE4 and bit fields");
    need(compression_ != kRle8 || bits_ == 8, "RLE8 needs 8 bits per pixel");
    need(compression_ != kRle4 || bits_ == 4, "RLE4 needs 4 bits per pixel");
  }

  void check_bits() {
    const std::array<size_t, 6> known{1, 4, 8, 16, 24, 32};
    need(std::find(known.begin(), known.end(), bits_) != known.end(),
         "the bits per pixel must be 1, 4, 8, 16, 24 or 32");
  }

  void read_masks() {
    std::array<uint32_t, 4> found{};
    // A header of 40 bytes is followed by three masks; later ones contain them, and that of alpha.
    const size_t count = header_ >= 56 ? 4 : 3;
    need(bytes_.size() >= 54 + 4 * count, "cut off in its bit fields");
    for (size_t i = 0; i < count; ++i) found[i] = number<uint32_t>(54 + 4 * i);
    if (header_ == 40) after_header_ += 12;
    const auto same_colors = [&](const Masks& known) {
      return std::equal(known.masks.begin(), known.masks.begin() + 3, found.begin());
    };
    const Masks* chosen = nullptr;
    if (bits_ == 24 && same_colors(kBgr)) chosen = &kBgr;
    if (bits_ == 16 && same_colors(k565)) chosen = &k565;
    if (bits_ == 16 && same_colors(k555)) chosen = &k555;
    for (const auto& known : k32) {
      if (bits_ == 32 && known.masks == found) chosen = &known;
    }
    need(chosen, "its bit fields have an unknown layout");
    masks_ = *chosen;
  }

  void read_palette() {
    const size_t entry = header_ == 12 ? 3 : 4;
    if (colors_ == 0) colors_ = uint32_t{1} << bits_;
    need(colors_ <= 256, "a palette of more than 256 colours");
    const size_t begin = after_header_, size = entry * colors_;
    need(bytes_.size() - begin >= size, "cut off in its palette");
    // In a file whose pixels begin where its palette does, they follow the palette.
    if (begin_ == begin) begin_ += size;
    after_header_ += size;
    bool identity = true;
    for (size_t i = 0; i < colors_; ++i) {
      for (size_t channel = 0; channel < 3; ++channel) {
        palette_[i][channel] = static_cast<uint8_t>(bytes_[begin + entry * i + 2 - channel]);
        identity = identity && palette_[i][channel] == (colors_ == 2 ? 255 * i : i);
      }
    }
    if (!identity) return;
    // PIL takes such a palette for plain grey, whatever the number of bits.
    const bool known = colors_ <= 2 ? bits_ == 1 : bits_ == 8 || compression_ == kRle4;
    need(known, "its palette is that of a grey image with other bits per pixel");
    for (size_t i = 0; i < palette_.size(); ++i) {
      palette_[i].fill(static_cast<uint8_t>(colors_ <= 2 ? 255 * std::min<size_t>(i, 1) : i));
    }
  }

  void show_indices(const char* packed, size_t bits, uint8_t* to) const {
    const size_t in_byte = 8 / bits, mask = (size_t{1} << bits) - 1;
    for (size_t i = 0; i < width_; ++i) {
      const auto byte = static_cast<uint8_t>(packed[i / in_byte]);
      const auto& color = palette_[byte >> (8 - bits - i % in_byte * bits) & mask];
      to = std::copy(color.begin(), color.end(), to);
    }
  }

  void show_colors(size_t at, uint8_t* to) const {
    const size_t size = bits_ / 8;
    if (size == 2) return show_narrow_colors(at, to);
    const auto* from = reinterpret_cast<const uint8_t*>(bytes_.data()) + at;
    const size_t red = masks_.shifts[0] / 8, green = masks_.shifts[1] / 8,
                 blue = masks_.shifts[2] / 8;
    for (size_t i = 0; i < width_; ++i, from += size, to += 3) {
      to[0] = from[red];
      to[1] = from[green];
      to[2] = from[blue];
    }
  }

  void show_narrow_colors(size_t at, uint8_t* to) const {
    for (size_t i = 0; i < width_; ++i, at += 2) {
      const uint32_t pixel = number<uint16_t>(at);
      for (size_t channel = 0; channel < 3; ++channel) {
        const uint32_t largest = masks_.largest[channel];
        *to++ = widen(pixel >> masks_.shifts[channel] & largest, largest);
      }
    }
  }

  // The indices of all pixels, row by row. What a jump leaves out is 0.
  std::string unpack_runs() const {
    const size_t total = width_ * height_;
    std::string out;
    size_t at = begin_, column = 0;
    while (out.size() < total) {
      if (at >= bytes_.size() || bytes_.size() - at < 2) break;
      const size_t count = number<uint8_t>(at), value = number<uint8_t>(at + 1);
      at += 2;
      if (count > 0) {
        append_run(out, std::min(count, width_ - std::min(column, width_)), value);
        column += count;
      } else if (value == 0) {  // end of the row
        out.resize((out.size() + width_ - 1) / width_ * width_);
        column = 0;
      } else if (value == 1) {  // end of the image
        break;
      } else if (value == 2) {  // a jump
        if (bytes_.size() - at < 2) break;
        const size_t jump = number<uint8_t>(at) + number<uint8_t>(at + 1) * width_;
        out.resize(out.size() + std::min(total - out.size(), jump));
        column = out.size() % width_;
        at += 2;
      } else if (!append_literal(out, std::min(total - out.size(), value), at)) {
        break;
      } else {
        column += value;
      }
    }
    need(out.size() >= total, "its run lengths end before the image does");
    return out;
  }

  void append_run(std::string& out, size_t count, size_t value) const {
    for (size_t i = 0; i < count; ++i) {
      const size_t index = compression_ == kRle8 ? value : i % 2 == 0 ? value >> 4 : value & 15;
      out.push_back(static_cast<char>(index));
    }
  }

  // `count` indices as they stand, padded to an even position in the file.
  bool append_literal(std::string& out, size_t count, size_t& at) const {
    const size_t size = compression_ == kRle8 ? count : (count + 1) / 2;
    if (bytes_.size() - at < size) return false;
    for (size_t i = 0; i < count; ++i) {
      const size_t byte = number<uint8_t>(at + (compression_ == kRle8 ? i : i / 2));
      out.push_back(static_cast<char>(compression_ == kRle8 ? byte
                                      : i % 2 == 0          ? byte >> 4
                                                            : byte & 15));
    }
    at += size + (at + size) % 2;
    return true;
  }

  std::string_view bytes_;
  const std::string& name_;
  uint32_t header_ = 0, compression_ = kRaw, colors_ = 0;
  uint64_t width_ = 0, height_ = 0, bits_ = 0;
  bool top_down_ = false;
  size_t begin_ = 0, after_header_ = 0;
  Masks masks_ = kBgr;
  std::array<std::array<uint8_t, 3>, 256> palette_{};
};

}  // namespace

bool is_bmp(std::string_view bytes) { return bytes.substr(0, 2) == "BM"; }

Image decode_bmp(std::string_view bytes, const std::string& name) {
  return Bmp(bytes, name).decode();
}

}  // namespace wf
