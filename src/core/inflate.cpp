#include "core/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

namespace wf {
namespace {

struct EndInflate {
  void operator()(z_stream* stream) const { ::inflateEnd(stream); }
};

}  // namespace

bool inflate_to(std::string_view in, char* out, size_t size) {
  constexpr size_t kPiece = size_t{1} << 30;  // zlib counts in 32 bits
  z_stream stream{};
  if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;  // negative: no zlib header
  const std::unique_ptr<z_stream, EndInflate> cleanup(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.next_out = reinterpret_cast<Bytef*>(out);
  size_t more_in = in.size(), more_out = size;
  while (true) {
    const auto refill = [](uInt& available, size_t& more) {
      const auto piece = std::min(more, kPiece - available);
      available += static_cast<uInt>(piece);
      more -= piece;
    };
    refill(stream.avail_in, more_in);
    refill(stream.avail_out, more_out);
    const int result = ::inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) return stream.avail_out == 0 && more_out == 0;
    // No progress is an error too (Z_BUF_ERROR): the data ended, or there are more than `size`.
    if (result != Z_OK) return false;
  }
}

}  // namespace wf
