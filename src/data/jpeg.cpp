#include "jpeg.h"

#include "weightformer/data/decode.h"

#include <jerror.h>
#include <jpeglib.h>
#include <stdio.h>  // jpeglib.h needs it before

#include <csetjmp>

namespace wf {
namespace {

// Warnings that say nothing about the pixels; real photographs in ImageNet carry them.
bool harmless(int warning) {
  return warning == JWRN_EXTRANEOUS_DATA || warning == JWRN_ADOBE_XFORM ||
         warning == JWRN_JFIF_MAJOR;
}

// libjpeg reports through callbacks in C; an exception must not cross it, so errors jump.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];

  static void fail(j_common_ptr info) {
    auto* self = reinterpret_cast<ErrorManager*>(info->err);
    info->err->format_message(info, self->message);
    std::longjmp(self->jump, 1);
  }
  static void emit(j_common_ptr info, int level) {
    if (level < 0 && !harmless(info->err->msg_code)) fail(info);
  }
  static void silent(j_common_ptr) {}
};

struct Decoder {
  jpeg_decompress_struct info{};
  ErrorManager errors{};

  Decoder() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = ErrorManager::fail;
    errors.base.emit_message = ErrorManager::emit;
    errors.base.output_message = ErrorManager::silent;
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

// Nothing with a destructor may live in the functions that setjmp returns to: a jump skips it.
bool read_header(Decoder& decoder, std::string_view bytes) {
  if (setjmp(decoder.errors.jump)) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder.info, TRUE);
  const auto space = decoder.info.jpeg_color_space;
  const bool four = space == JCS_CMYK || space == JCS_YCCK;
  decoder.info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  return true;
}

bool read_pixels(Decoder& decoder, uint8_t* out, size_t row_bytes) {
  if (setjmp(decoder.errors.jump)) return false;
  jpeg_start_decompress(&decoder.info);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + decoder.info.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

// PIL's CMYK → RGB: 255 - C - K + C*K/255 with its rounding. Adobe writes the complement.
std::vector<uint8_t> from_cmyk(const std::vector<uint8_t>& cmyk, bool inverted) {
  std::vector<uint8_t> rgb(cmyk.size() / 4 * 3);
  for (size_t i = 0; i < cmyk.size() / 4; ++i) {
    const int black = inverted ? 255 - cmyk[4 * i + 3] : cmyk[4 * i + 3];
    const int white = 255 - black;
    for (size_t channel = 0; channel < 3; ++channel) {
      const int ink = inverted ? 255 - cmyk[4 * i + channel] : cmyk[4 * i + channel];
      const int product = ink * white + 128;
      const int covered = (product + (product >> 8)) >> 8;  // product / 255, rounded
      rgb[3 * i + channel] = static_cast<uint8_t>(std::max(0, white - covered));
    }
  }
  return rgb;
}

}  // namespace

bool is_jpeg(std::string_view bytes) {
  return bytes.size() >= 3 && bytes.compare(0, 3, "\xff\xd8\xff") == 0;
}

Image decode_jpeg(std::string_view bytes, const std::string& name) {
  Decoder decoder;
  const auto unreadable = [&](const std::string& why) {
    return UnreadableImage(str(name, ": damaged JPEG: ", why));
  };
  if (!read_header(decoder, bytes)) throw unreadable(decoder.errors.message);
  Image image;
  image.height = static_cast<int>(decoder.info.image_height);
  image.width = static_cast<int>(decoder.info.image_width);
  const int64_t count = int64_t{image.height} * image.width;
  if (count > kMaxPixels) {
    throw unreadable(
        str("claims ", image.width, " x ", image.height, " pixels, the limit is ", kMaxPixels));
  }
  const bool cmyk = decoder.info.out_color_space == JCS_CMYK;
  const size_t row_bytes = static_cast<size_t>(image.width) * (cmyk ? 4 : 3);
  image.pixels.resize(row_bytes * image.height);
  if (!read_pixels(decoder, image.pixels.data(), row_bytes)) {
    throw unreadable(decoder.errors.message);
  }
  if (cmyk) image.pixels = from_cmyk(image.pixels, decoder.info.saw_Adobe_marker);
  return image;
}

}  // namespace wf
