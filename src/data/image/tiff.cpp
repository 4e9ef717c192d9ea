#include "data/image/tiff.h"

#include "core/little_endian.h"
#include "data/image/color.h"
#include "data/image/decode.h"
#include "data/image/tiff_file.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wf {
namespace {

constexpr uint16_t kUnsigned = SAMPLEFORMAT_UINT, kSigned = SAMPLEFORMAT_INT,
                   kFloat = SAMPLEFORMAT_IEEEFP;

enum class Colors { table, rgb, premultiplied, cmyk, ycbcr };

using ColorTable = std::array<std::array<uint8_t, 3>, 256>;

// NaN becomes 0.
template <typename T>
uint8_t clip(T value) {
  return value > 0 ? static_cast<uint8_t>(std::min<T>(value, 255)) : uint8_t{0};
}

// PIL's own YCbCr → RGB, in fixed point with 6 bits; libjpeg's and libtiff's differ by one.
void ycbcr_to_rgb(const uint8_t* from, uint8_t* rgb) {
  const auto part = [](double factor, int chroma) {
    return static_cast<int>(factor * 64 * (chroma - 128) + 0.5);
  };
  const int y = from[0], cb = from[1], cr = from[2];
  rgb[0] = clip(y + (part(1.402, cr) >> 6));
  rgb[1] = clip(y + ((part(-0.34414, cb) + part(-0.71414, cr)) >> 6));
  rgb[2] = clip(y + (part(1.772, cb) >> 6));
}

class Decoder {
 public:
  Decoder(std::string_view bytes, const std::string& name)
      : file_(bytes, name), layout_(file_.layout()) {
    choose();
  }

  Image decode() {
    Image image{static_cast<int>(layout_.height), static_cast<int>(layout_.width), {}};
    image.pixels.resize(size_t{layout_.height} * layout_.width * 3);
    for (uint32_t top = 0; top < layout_.height; top += file_.piece_height()) {
      for (uint32_t left = 0; left < layout_.width; left += file_.piece_width()) {
        decode_piece(left, top, image);
      }
    }
    return image;
  }

  uint16_t orientation() const { return layout_.orientation; }

 private:
  // Whether bits, sample format and number of samples are these.
  bool is(std::initializer_list<uint16_t> bits, uint16_t format, int fewest, int most) const {
    return std::count(bits.begin(), bits.end(), layout_.bits) && layout_.format == format &&
           layout_.samples >= fewest && layout_.samples <= most;
  }
  bool premultiplied() const {
    return !layout_.extra.empty() && layout_.extra[0] == EXTRASAMPLE_ASSOCALPHA;
  }
  void refuse_unless(bool known, const char* what) const {
    if (known) return;
    file_.fail(str(what, " with ", layout_.samples, " samples of ", layout_.bits,
                   " bits (sample format ", layout_.format, ", planar configuration ",
                   layout_.planar, ") is not supported; store it as 8-bit RGB"));
  }

  void choose() {
    if (!layout_.has_photometric) file_.fail("damaged: no photometric interpretation");
    switch (layout_.photometric) {
      case PHOTOMETRIC_MINISWHITE:
      case PHOTOMETRIC_MINISBLACK:
        return choose_gray();
      case PHOTOMETRIC_RGB:
        refuse_unless(is({8}, kUnsigned, 3, 6) || is({16}, kUnsigned, 3, 4), "RGB");
        return choose_rgb();
      case PHOTOMETRIC_PALETTE:
        refuse_unless(is({1, 2, 4, 8}, kUnsigned, 1, 1) || is({8}, kUnsigned, 2, 2), "a palette");
        return make_palette();
      case PHOTOMETRIC_SEPARATED:
        refuse_unless(is({8}, kUnsigned, 4, 6) || is({16}, kUnsigned, 4, 4), "CMYK");
        colors_ = Colors::cmyk;
        return check_planes();
      case PHOTOMETRIC_YCBCR:
        return choose_ycbcr();
      case PHOTOMETRIC_CIELAB:
        file_.fail("CIE L*a*b* colours are not supported; store it as RGB");
      default:
        file_.fail(str("photometric interpretation ", layout_.photometric,
                       " is not supported; store it as RGB"));
    }
  }

  void choose_gray() {
    const bool white = layout_.photometric == PHOTOMETRIC_MINISWHITE;
    const bool small = is({1, 2, 4, 8}, kUnsigned, 1, 1);
    const bool alpha = is({8}, kUnsigned, 2, 2) && !premultiplied();
    const bool numbers = is({16, 32}, kUnsigned, 1, 1) || is({16, 32}, kSigned, 1, 1) ||
                         is({32}, kFloat, 1, 1) || is({8}, kSigned, 1, 1);
    refuse_unless(small || (!white && (alpha || numbers)),
                  white ? "grey from white to black" : "grey");
    const int largest = (1 << std::min<int>(layout_.bits, 8)) - 1;
    for (int i = 0; i <= largest; ++i) {
      table_[i].fill(static_cast<uint8_t>((white ? largest - i : i) * 255 / largest));
    }
    check_planes();
  }

  void make_palette() {
    const auto entries = file_.palette();
    const size_t count = entries.size() / 3;
    for (size_t i = 0; i < count; ++i) {
      for (size_t channel = 0; channel < 3; ++channel) {
        table_[i][channel] = entries[channel * count + i];
      }
    }
    check_planes();
  }

  void choose_rgb() {
    colors_ = premultiplied() ? Colors::premultiplied : Colors::rgb;
    check_planes();
  }

  void choose_ycbcr() {
    refuse_unless(is({8}, kUnsigned, 1, 1) || is({8}, kUnsigned, 3, 3), "YCbCr");
    if (layout_.samples == 1) {
      for (size_t i = 0; i < table_.size(); ++i) table_[i].fill(static_cast<uint8_t>(i));
      return;
    }
    colors_ = Colors::ycbcr;
    const bool together = layout_.planar == PLANARCONFIG_CONTIG;
    if (together && layout_.compression == COMPRESSION_JPEG) {
      colors_ = Colors::rgb;  // libtiff converts
    } else {
      refuse_unless(together && layout_.compression == COMPRESSION_NONE && !file_.subsampled(),
                    "YCbCr that is subsampled, or compressed other than by JPEG,");
    }
  }

  // Of uncompressed planes PIL takes each byte for a sample as it should be shown, and it takes
  // alpha that was multiplied in for a colour.
  void check_planes() const {
    if (layout_.planar == PLANARCONFIG_CONTIG) return;
    const bool shown = layout_.bits == 8 && layout_.fill_order == FILLORDER_MSB2LSB &&
                       layout_.photometric != PHOTOMETRIC_MINISWHITE;
    refuse_unless(
        colors_ != Colors::premultiplied && (shown || layout_.compression != COMPRESSION_NONE),
        "separate planes");
  }

  void decode_piece(uint32_t left, uint32_t top, Image& image) {
    const uint32_t rows = std::min(file_.piece_height(), layout_.height - top);
    const uint32_t columns = std::min(file_.piece_width(), layout_.width - left);
    const size_t row_samples = size_t{columns} * layout_.samples;
    const bool apart = layout_.planar == PLANARCONFIG_SEPARATE && layout_.samples > 1;
    samples_.resize(apart ? rows * row_samples : row_samples);
    if (apart) join_planes(left, top, rows, columns);
    const uint8_t* piece = apart ? nullptr : file_.piece(left, top, 0);
    for (uint32_t row = 0; row < rows; ++row) {
      const uint8_t* samples = samples_.data() + (apart ? row * row_samples : 0);
      if (!apart) unpack(piece + row * file_.row_bytes(), row_samples, 1, samples_.data());
      show(samples, columns, image.pixels.data() + (size_t{top + row} * layout_.width + left) * 3);
    }
  }

  void join_planes(uint32_t left, uint32_t top, uint32_t rows, uint32_t columns) {
    for (uint16_t plane = 0; plane < layout_.samples; ++plane) {
      const uint8_t* piece = file_.piece(left, top, plane);
      for (uint32_t row = 0; row < rows; ++row) {
        uint8_t* to = samples_.data() + size_t{row} * columns * layout_.samples + plane;
        unpack(piece + row * file_.row_bytes(), columns, layout_.samples, to);
      }
    }
  }

  // Samples of any depth as one byte each, `step` apart.
  void unpack(const uint8_t* packed, size_t count, size_t step, uint8_t* to) const {
    const std::string_view bytes(reinterpret_cast<const char*>(packed), count * layout_.bits / 8);
    if (layout_.bits == 8 && step == 1) {
      std::copy_n(packed, count, to);
      return;
    }
    const bool one = layout_.samples == 1;
    for (size_t i = 0; i < count; ++i, to += step) {
      if (layout_.bits == 8) {
        *to = packed[i];
      } else if (layout_.bits < 8) {
        const size_t bit = i * layout_.bits;
        *to = packed[bit / 8] >> (8 - layout_.bits - bit % 8) & ((1 << layout_.bits) - 1);
      } else if (layout_.bits == 16) {
        *to = one ? number<int16_t, uint16_t>(bytes, i) : packed[2 * i + 1];
      } else {
        *to = layout_.format == kFloat ? clip(load_number<float>(bytes, 4 * i))
                                       : number<int32_t, uint32_t>(bytes, i);
      }
    }
  }

  template <typename Signed, typename Unsigned>
  uint8_t number(std::string_view bytes, size_t i) const {
    return layout_.format == kSigned ? clip(load_number<Signed>(bytes, sizeof(Signed) * i))
                                     : clip(load_number<Unsigned>(bytes, sizeof(Unsigned) * i));
  }

  void show(const uint8_t* samples, size_t count, uint8_t* rgb) const {
    for (size_t i = 0; i < count; ++i, samples += layout_.samples, rgb += 3) {
      switch (colors_) {
        case Colors::table:
          std::copy_n(table_[*samples].begin(), 3, rgb);
          break;
        case Colors::rgb:
          std::copy_n(samples, 3, rgb);
          break;
        case Colors::premultiplied:
          for (size_t c = 0; c < 3; ++c) {
            rgb[c] = samples[3] == 0 ? 0 : clip(samples[c] * 255 / samples[3]);
          }
          break;
        case Colors::cmyk:
          cmyk_to_rgb(samples, rgb);
          break;
        case Colors::ycbcr:
          ycbcr_to_rgb(samples, rgb);
          break;
      }
    }
  }

  TiffFile file_;
  const TiffLayout& layout_;
  Colors colors_ = Colors::table;
  ColorTable table_{};
  std::vector<uint8_t> samples_;
};

// Orientation as in EXIF: 2 to 4 mirror and turn by 180 degrees, 5 to 8 also swap the axes.
Image oriented(Image image, uint16_t orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swap = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out{swap ? image.width : image.height, swap ? image.height : image.width, {}};
  out.pixels.resize(image.pixels.size());
  uint8_t* to = out.pixels.data();
  for (int row = 0; row < out.height; ++row) {
    for (int column = 0; column < out.width; ++column, to += 3) {
      int y = swap ? column : row, x = swap ? row : column;
      if (from_bottom) y = image.height - 1 - y;
      if (from_right) x = image.width - 1 - x;
      std::copy_n(image.pixels.data() + (size_t(y) * image.width + x) * 3, 3, to);
    }
  }
  return out;
}

}  // namespace

bool is_tiff(std::string_view bytes) {
  const auto magic = bytes.substr(0, 4);
  return magic == std::string_view("II*\0", 4) || magic == std::string_view("MM\0*", 4) ||
         magic == std::string_view("II+\0", 4) || magic == std::string_view("MM\0+", 4);
}

Image decode_tiff(std::string_view bytes, const std::string& name) {
  Decoder decoder(bytes, name);
  return oriented(decoder.decode(), decoder.orientation());
}

}  // namespace wf
