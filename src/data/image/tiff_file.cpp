#include "data/image/tiff_file.h"

#include "data/image/decode.h"
#include "data/image/tiff_tags.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace wf {
namespace {

// The most that one strip or tile may take: every pixel in one piece, 4 channels of 16 bits.
constexpr uint64_t kMostPieceBytes = uint64_t{8} * kMaxPixels;

uint64_t size_of(thandle_t handle) {
  return static_cast<const std::string_view*>(handle)->size();  // the first member of Memory
}

}  // namespace

TiffFile::TiffFile(std::string_view bytes, const std::string& name) : name_(name), memory_{bytes} {
  open();
  if (!file_) fail("damaged: " + problem_);
  problem_.clear();  // of a tag that does not matter, or one that check_tags() finds
  read_layout();
  check_tags(bytes);
  check_pixels(layout_.width, layout_.height, name);
  read_pieces();
}

void TiffFile::fail(const std::string& why) const {
  throw UnreadableImage(str(name_, ": TIFF: ", why));
}

tmsize_t TiffFile::read(thandle_t handle, void* to, tmsize_t count) {
  auto& memory = *static_cast<Memory*>(handle);
  const uint64_t size = memory.bytes.size(), at = std::min(memory.at, size);
  const uint64_t got = std::min(static_cast<uint64_t>(count), size - at);
  std::memcpy(to, memory.bytes.data() + at, got);
  memory.at = at + got;
  return static_cast<tmsize_t>(got);
}

uint64_t TiffFile::seek(thandle_t handle, uint64_t offset, int whence) {
  auto& memory = *static_cast<Memory*>(handle);
  const uint64_t base = whence == SEEK_SET   ? 0
                        : whence == SEEK_CUR ? memory.at
                                             : memory.bytes.size();
  return memory.at = base + offset;
}

void TiffFile::note(const char* format, va_list values) {
  if (!problem_.empty()) return;  // the first one is the cause
  char line[256];
  std::vsnprintf(line, sizeof line, format, values);
  problem_ = line;
  std::replace_if(
      problem_.begin(), problem_.end(), [](char c) { return c < ' '; }, ' ');
}

int TiffFile::error(TIFF*, void* self, const char*, const char* format, va_list values) {
  static_cast<TiffFile*>(self)->note(format, values);
  return 1;
}

int TiffFile::warning(TIFF*, void* self, const char*, const char* format, va_list values) {
  auto& file = *static_cast<TiffFile*>(self);
  // LZW as written before 1992 is warned of, and complete.
  if (file.decoding_ && file.layout_.compression != COMPRESSION_LZW) file.note(format, values);
  return 1;
}

void TiffFile::open() {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(
      ::TIFFOpenOptionsAlloc(), ::TIFFOpenOptionsFree);
  ::TIFFOpenOptionsSetErrorHandlerExtR(options.get(), error, this);
  ::TIFFOpenOptionsSetWarningHandlerExtR(options.get(), warning, this);
  ::TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(kMostPieceBytes));
  const auto write = [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; };
  const auto close = [](thandle_t) { return 0; };
  const auto map = [](thandle_t handle, void** base, toff_t* size) {
    const auto& bytes = static_cast<Memory*>(handle)->bytes;
    *base = const_cast<char*>(bytes.data());
    *size = bytes.size();
    return 1;
  };
  const auto unmap = [](thandle_t, void*, toff_t) {};
  // c: strips as they are stored, not cut into smaller ones.
  file_.reset(::TIFFClientOpenExt(name_.c_str(), "rc", &memory_, read, write, seek, close, size_of,
                                  map, unmap, options.get()));
}

void TiffFile::read_layout() {
  TIFF* file = file_.get();
  auto& l = layout_;
  if (!::TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &l.width) ||
      !::TIFFGetField(file, TIFFTAG_IMAGELENGTH, &l.height) || l.width == 0 || l.height == 0) {
    fail("damaged: no width or no height");
  }
  ::TIFFGetFieldDefaulted(file, TIFFTAG_BITSPERSAMPLE, &l.bits);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLESPERPIXEL, &l.samples);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_SAMPLEFORMAT, &l.format);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_PLANARCONFIG, &l.planar);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_COMPRESSION, &l.compression);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_ORIENTATION, &l.orientation);
  ::TIFFGetFieldDefaulted(file, TIFFTAG_FILLORDER, &l.fill_order);
  l.has_photometric = ::TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &l.photometric) == 1;
  uint16_t count = 0;
  const uint16_t* kinds = nullptr;
  if (::TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds) && kinds) {
    l.extra.assign(kinds, kinds + count);
  }
  if (!::TIFFIsCODECConfigured(l.compression) || l.compression == COMPRESSION_OJPEG) {
    fail(str("compression ", l.compression, " is not supported; store it with LZW or Deflate"));
  }
  // libdeflate, which libtiff prefers, leaves a strip that is stored longer than needed unwritten,
  // and libtiff 4.5 calls that a success.
  if (l.compression == COMPRESSION_ADOBE_DEFLATE || l.compression == COMPRESSION_DEFLATE) {
    ::TIFFSetField(file, TIFFTAG_DEFLATE_SUBCODEC, DEFLATE_SUBCODEC_ZLIB);
  }
  // As PIL does: libtiff makes RGB of the JPEG data.
  if (l.compression == COMPRESSION_JPEG && l.photometric == PHOTOMETRIC_YCBCR &&
      l.planar == PLANARCONFIG_CONTIG) {
    ::TIFFSetField(file, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
}

// Where tags contradict each other, libtiff and PIL choose differently, and both may be wrong.
void TiffFile::check_tags(std::string_view bytes) const {
  const auto tags = tiff_tags(bytes);
  if (!tags) fail("damaged: its directory is cut off, or has a tag twice");
  const auto& l = layout_;
  const auto need = [&](uint16_t tag, bool good) {
    if (!good) fail(str("damaged: tag ", tag, " contradicts others"));
  };
  const auto scalar = [&](uint16_t tag, uint64_t value) {
    const auto found = tags->find(tag);
    if (found == tags->end()) return;
    need(tag, found->second.count == 1 && found->second.first == value);
  };
  const auto count = [&](uint16_t tag, std::initializer_list<uint64_t> allowed) {
    const auto found = tags->find(tag);
    if (found == tags->end()) return;
    need(tag, found->second.integers &&
                  std::count(allowed.begin(), allowed.end(), found->second.count) > 0);
  };
  scalar(TIFFTAG_IMAGEWIDTH, l.width);
  scalar(TIFFTAG_IMAGELENGTH, l.height);
  scalar(TIFFTAG_COMPRESSION, l.compression);
  scalar(TIFFTAG_PHOTOMETRIC, l.photometric);
  scalar(TIFFTAG_SAMPLESPERPIXEL, l.samples);
  scalar(TIFFTAG_PLANARCONFIG, l.planar);
  scalar(TIFFTAG_ORIENTATION, l.orientation);
  scalar(TIFFTAG_FILLORDER, l.fill_order);
  count(TIFFTAG_BITSPERSAMPLE, {1, l.samples});
  count(TIFFTAG_SAMPLEFORMAT, {1, l.samples});
  for (uint16_t tag : {TIFFTAG_PREDICTOR, TIFFTAG_ROWSPERSTRIP}) count(tag, {1});
  // Extra samples of an unspecified kind: PIL knows RGB with one of them.
  const bool three = l.photometric == PHOTOMETRIC_RGB || l.photometric == PHOTOMETRIC_YCBCR ||
                     l.photometric == PHOTOMETRIC_CIELAB;
  const uint16_t colors = l.photometric == PHOTOMETRIC_SEPARATED ? 4 : three ? 3 : 1;
  const bool told = tags->count(TIFFTAG_EXTRASAMPLES) > 0;
  const bool rgb_and_one = l.photometric == PHOTOMETRIC_RGB && l.samples == 4;
  need(TIFFTAG_SAMPLESPERPIXEL, told || l.samples <= colors || rgb_and_one);
  count(TIFFTAG_EXTRASAMPLES, {l.extra.size()});
  if (told && tags->at(TIFFTAG_EXTRASAMPLES).first) {
    need(TIFFTAG_EXTRASAMPLES,
         !l.extra.empty() && tags->at(TIFFTAG_EXTRASAMPLES).first == l.extra[0]);
  }
  const bool tiled = ::TIFFIsTiled(file_.get()) != 0;
  const uint16_t places = tiled ? TIFFTAG_TILEOFFSETS : TIFFTAG_STRIPOFFSETS;
  need(places, tags->count(places) > 0);
  count(places, {tiled ? ::TIFFNumberOfTiles(file_.get()) : ::TIFFNumberOfStrips(file_.get())});
}

void TiffFile::read_pieces() {
  TIFF* file = file_.get();
  const bool tiled = ::TIFFIsTiled(file) != 0;
  piece_width_ = layout_.width;
  piece_height_ = layout_.height;
  if (tiled) {
    ::TIFFGetField(file, TIFFTAG_TILEWIDTH, &piece_width_);
    ::TIFFGetField(file, TIFFTAG_TILELENGTH, &piece_height_);
    // The specification; smaller ones would take hours for a large image.
    if (piece_width_ == 0 || piece_height_ == 0 || piece_width_ % 16 || piece_height_ % 16) {
      fail("damaged: the sides of a tile must be multiples of 16");
    }
  } else {
    uint32_t rows = 0;
    ::TIFFGetFieldDefaulted(file, TIFFTAG_ROWSPERSTRIP, &rows);
    if (rows > 0) piece_height_ = std::min(rows, layout_.height);
  }
  const uint64_t bytes = tiled ? ::TIFFTileSize64(file) : ::TIFFStripSize64(file);
  row_bytes_ = tiled ? ::TIFFTileRowSize64(file) : ::TIFFScanlineSize64(file);
  if (bytes == 0 || bytes > kMostPieceBytes || row_bytes_ == 0) {
    fail(str("damaged: a strip or tile of ", bytes, " bytes"));
  }
  piece_bytes_ = bytes;
}

bool TiffFile::little_endian() const { return !::TIFFIsBigEndian(file_.get()); }

bool TiffFile::subsampled() const {
  uint16_t across = 1, down = 1;  // 2 and 2 without the tag
  ::TIFFGetFieldDefaulted(file_.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
  return across != 1 || down != 1;
}

const uint8_t* TiffFile::piece(uint32_t left, uint32_t top, uint16_t plane) {
  TIFF* file = file_.get();
  const bool tiled = ::TIFFIsTiled(file) != 0;
  const uint32_t rows = tiled ? piece_height_ : std::min(piece_height_, layout_.height - top);
  const auto wanted = static_cast<tmsize_t>(tiled ? piece_bytes_ : row_bytes_ * rows);
  if (buffer_.empty()) buffer_.resize(piece_bytes_);
  decoding_ = true;
  const tmsize_t got =
      tiled ? ::TIFFReadEncodedTile(file, ::TIFFComputeTile(file, left, top, 0, plane),
                                    buffer_.data(), wanted)
            : ::TIFFReadEncodedStrip(file, ::TIFFComputeStrip(file, top, plane), buffer_.data(),
                                     wanted);
  decoding_ = false;
  if (got != wanted || !problem_.empty()) {
    fail("damaged: " + (problem_.empty() ? "a strip or tile is incomplete" : problem_));
  }
  return buffer_.data();
}

std::vector<uint8_t> TiffFile::palette() {
  const uint16_t* channels[3] = {};
  if (!::TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2])) {
    fail("damaged: its palette is missing or of another size");
  }
  std::vector<uint8_t> bytes;
  for (const auto* channel : channels) {
    for (size_t i = 0; i < size_t{1} << layout_.bits; ++i) {
      bytes.push_back(static_cast<uint8_t>(channel[i] >> 8));
    }
  }
  return bytes;
}

}  // namespace wf
