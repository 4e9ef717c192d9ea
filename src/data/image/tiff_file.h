// A TIFF file in memory, by libtiff.
#pragma once

#include <tiffio.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// The tags that decide how samples become colours.
struct TiffLayout {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, format = 1, planar = 1;
  uint16_t photometric = 0, compression = 1, orientation = 1, fill_order = 1;
  std::vector<uint16_t> extra;  ///< what the samples after the colours are
  bool has_photometric = false;
};

/// Throws UnreadableImage for every error that libtiff reports, and for warnings while samples are
/// decoded: they say that data was lost.
class TiffFile {
 public:
  /// `bytes` and `name` must outlive this.
  TiffFile(std::string_view bytes, const std::string& name);

  const TiffLayout& layout() const { return layout_; }
  bool little_endian() const;
  bool subsampled() const;

  /// The size of the pieces that the image is stored in, strips or tiles, and the bytes of a row of
  /// one, for one plane where they are stored apart.
  uint32_t piece_width() const { return piece_width_; }
  uint32_t piece_height() const { return piece_height_; }
  size_t row_bytes() const { return row_bytes_; }

  /// The piece that contains a pixel, for one plane; valid until the next call.
  const uint8_t* piece(uint32_t left, uint32_t top, uint16_t plane);

  /// The 3 x 2^bits entries of a palette, its red ones first.
  std::vector<uint8_t> palette();

  [[noreturn]] void fail(const std::string& why) const;

 private:
  struct Close {
    void operator()(TIFF* file) const { ::TIFFClose(file); }
  };
  struct Memory {
    std::string_view bytes;
    uint64_t at = 0;
  };
  static tmsize_t read(thandle_t handle, void* to, tmsize_t count);
  static uint64_t seek(thandle_t handle, uint64_t offset, int whence);
  static int error(TIFF*, void* self, const char* module, const char* format, va_list values);
  static int warning(TIFF*, void* self, const char* module, const char* format, va_list values);
  void open();
  void read_layout();
  void check_tags(std::string_view bytes) const;
  void read_pieces();
  void note(const char* format, va_list values);

  const std::string& name_;
  Memory memory_;
  std::string problem_;
  bool decoding_ = false;
  TiffLayout layout_;
  uint32_t piece_width_ = 0, piece_height_ = 0;
  size_t row_bytes_ = 0, piece_bytes_ = 0;
  std::vector<uint8_t> buffer_;
  std::unique_ptr<TIFF, Close> file_;  // last: closing it may report a warning
};

}  // namespace wf
