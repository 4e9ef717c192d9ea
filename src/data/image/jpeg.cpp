#include "data/image/jpeg.h"

#include "data/image/color.h"
#include "data/image/decode.h"

#include <jerror.h>
#include <jpeglib.h>
#include <stdio.h>  // jpeglib.h needs it before

#include <algorithm>
#include <csetjmp>
#include <cstdio>

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

// Encoders write about ten scans. Each one, even if it is empty, costs a pass over the image.
constexpr int kMaxScans = 100;

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans", kMaxScans);
  std::longjmp(errors->jump, 1);
}

// Smooth chroma upsampling looks one sample to each side, which is two pixels; without them the
// pixels at the cut would differ from those of a full decode.
constexpr int kContext = 2;

// Adobe's programs store the complement of CMYK, and PIL takes every file as theirs, with or
// without their marker.
void from_inverted_cmyk(const uint8_t* stored, size_t count, uint8_t* rgb) {
  for (size_t i = 0; i < count; ++i, stored += 4, rgb += 3) {
    uint8_t cmyk[4];
    std::transform(stored, stored + 4, cmyk, [](uint8_t ink) { return 255 - ink; });
    cmyk_to_rgb(cmyk, rgb);
  }
}

// The marker of the end cannot occur inside the data of a scan, so a file that ends with it was
// not cut off.
bool has_end(std::string_view bytes) {
  return bytes.size() >= 2 && bytes.compare(bytes.size() - 2, 2, "\xff\xd9") == 0;
}

}  // namespace

// What is read: rows top … bottom, and columns from `left` on, which libjpeg moves to a block.
struct Jpeg::Cut {
  JDIMENSION top, bottom, left, width;
};

// Nothing with a destructor may live in the functions that setjmp returns to: a jump skips it.
struct Jpeg::Decoder {
  jpeg_decompress_struct info{};
  ErrorManager errors{};
  jpeg_progress_mgr progress{};

  Decoder() {
    info.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = ErrorManager::fail;
    errors.base.emit_message = ErrorManager::emit;
    errors.base.output_message = ErrorManager::silent;
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool cmyk() const { return info.out_color_space == JCS_CMYK; }

  bool read_header(std::string_view bytes) {
    if (setjmp(errors.jump)) return false;
    jpeg_create_decompress(&info);
    progress.progress_monitor = limit_scans;
    info.progress = &progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
    const auto space = info.jpeg_color_space;
    const bool four = space == JCS_CMYK || space == JCS_YCCK;
    info.out_color_space = four ? JCS_CMYK : JCS_RGB;
    return true;
  }

  bool begin(int eighths, const Box& box, Cut& cut) {
    if (setjmp(errors.jump)) return false;
    info.scale_num = static_cast<unsigned>(eighths);
    info.scale_denom = 8;
    jpeg_start_decompress(&info);
    cut.top = static_cast<JDIMENSION>(std::max(0, box.top - kContext));
    cut.bottom = static_cast<JDIMENSION>(box.top + box.height);
    cut.left = static_cast<JDIMENSION>(std::max(0, box.left - kContext));
    cut.width =
        std::min(info.output_width, static_cast<JDIMENSION>(box.left + box.width + kContext)) -
        cut.left;
    if (cut.width < info.output_width) jpeg_crop_scanline(&info, &cut.left, &cut.width);
    return true;
  }

  // out: the rows of `cut`, and one more to read into when they are done.
  bool read_rows(const Cut& cut, bool complete, uint8_t* out, size_t row_bytes) {
    if (setjmp(errors.jump)) return false;
    if (cut.top > 0) jpeg_skip_scanlines(&info, cut.top);
    while (info.output_scanline < cut.bottom) {
      JSAMPROW rows[8];
      const JDIMENSION count = std::min<JDIMENSION>(8, cut.bottom - info.output_scanline);
      for (JDIMENSION i = 0; i < count; ++i) {
        rows[i] = out + (info.output_scanline - cut.top + i) * row_bytes;
      }
      jpeg_read_scanlines(&info, rows, count);
    }
    if (info.output_scanline < info.output_height && complete) {
      jpeg_abort_decompress(&info);
      return true;
    }
    if (info.output_scanline < info.output_height) {
      // Skipping to the very end reads nothing, so the last row is asked for.
      const JDIMENSION rest = info.output_height - info.output_scanline - 1;
      if (rest > 0) jpeg_skip_scanlines(&info, rest);
      JSAMPROW row = out + (cut.bottom - cut.top) * row_bytes;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }
};

bool is_jpeg(std::string_view bytes) {
  return bytes.size() >= 3 && bytes.compare(0, 3, "\xff\xd8\xff") == 0;
}

Jpeg::Jpeg(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  open();
}
Jpeg::~Jpeg() = default;

void Jpeg::fail() const {
  throw UnreadableImage(str(name_, ": damaged JPEG: ", decoder_->errors.message));
}

void Jpeg::open() {
  decoder_ = std::make_unique<Decoder>();
  used_ = false;
  if (!decoder_->read_header(bytes_)) fail();
  const int64_t count = int64_t{height()} * width();
  if (count > kMaxPixels) {
    throw UnreadableImage(str(name_, ": damaged JPEG: claims ", width(), " x ", height(),
                              " pixels, the limit is ", kMaxPixels));
  }
}

int Jpeg::height() const { return static_cast<int>(decoder_->info.image_height); }
int Jpeg::width() const { return static_cast<int>(decoder_->info.image_width); }

ImageView Jpeg::decode(int eighths, Box box, Scratch& pixels) {
  if (used_) open();
  used_ = true;
  Cut cut{};
  if (!decoder_->begin(eighths, box, cut)) fail();
  const bool cmyk = decoder_->cmyk();
  const size_t row_bytes = static_cast<size_t>(cut.width) * (cmyk ? 4 : 3);
  const size_t rows = cut.bottom - cut.top;
  Scratch inks;
  uint8_t* out = (cmyk ? inks : pixels).take((rows + 1) * row_bytes);
  if (!decoder_->read_rows(cut, has_end(bytes_), out, row_bytes)) fail();
  const size_t stride = static_cast<size_t>(cut.width) * 3;
  if (cmyk) {
    out = pixels.take(rows * stride);
    from_inverted_cmyk(inks.take(0), rows * cut.width, out);
  }
  const size_t first = (box.top - cut.top) * stride + (box.left - cut.left) * 3;
  return {out + first, stride, box.height, box.width};
}

}  // namespace wf
