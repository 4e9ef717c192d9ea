#include "data/image/pnm.h"

#include "data/image/decode.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace wf {
namespace {

bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(int c) { return c >= '0' && c <= '9'; }

class Pnm {
 public:
  Pnm(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {
    kind_ = bytes[1] - '0';
    at_ = 2;
    need(at_ < bytes.size() && is_space(bytes[at_]), "no white space after the magic number");
    width_ = token();
    height_ = token();
    need(width_ > 0 && height_ > 0, "a side of 0 pixels");
    check_pixels(width_, height_, name);
    if (!bitmap()) {
      maximum_ = token();
      need(maximum_ > 0 && maximum_ < 65536, "the maximum value must be 1 to 65535");
    }
    channels_ = kind_ == 3 || kind_ == 6 ? 3 : 1;
    samples_ = static_cast<size_t>(width_) * static_cast<size_t>(height_) * channels_;
  }

  Image decode() {
    const std::string_view body = bytes_.substr(std::min(at_ + 1, bytes_.size()));
    if (!bitmap()) make_table();
    Image image{static_cast<int>(height_), static_cast<int>(width_), {}};
    std::vector<uint8_t> samples;
    if (kind_ == 1) {
      samples = plain_bits(body);
    } else if (kind_ == 4) {
      samples = bits(body);
    } else {
      samples = kind_ <= 3 ? plain_numbers(body) : numbers(body);
    }
    if (channels_ == 3) {
      image.pixels = std::move(samples);
      return image;
    }
    image.pixels.resize(samples.size() * 3);
    for (size_t i = 0; i < samples.size(); ++i) {
      std::fill_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, samples[i]);
    }
    return image;
  }

 private:
  void need(bool good, const char* why) const {
    if (!good) throw UnreadableImage(str(name_, ": damaged PNM: ", why));
  }
  void need_bytes(size_t have, size_t least) const {
    if (have >= least) return;
    throw UnreadableImage(str(name_, ": damaged PNM: cut off: its pixels take at least ", least,
                              " bytes, ", have, " are there"));
  }
  bool bitmap() const { return kind_ == 1 || kind_ == 4; }

  // A number of the header. Its single character of white space is left at at_: what follows the
  // last number's is the pixels.
  int64_t token() {
    std::string digits;
    for (; at_ < bytes_.size(); ++at_) {
      const char c = bytes_[at_];
      if (c == '#') {
        at_ = std::min(bytes_.find_first_of("\r\n", at_), bytes_.size() - 1);
      } else if (is_space(c)) {
        if (!digits.empty()) break;
      } else {
        need(is_digit(c) && digits.size() < 10, "the header has something that is no number");
        digits += c;
      }
    }
    need(!digits.empty(), "it ends in the header");
    return std::stoll(digits);
  }

  // What each stored value becomes. The order of the operations is PIL's, for its rounding.
  void make_table() {
    const double full = channels_ == 1 && maximum_ > 255 ? 65535 : 255;
    table_.resize(static_cast<size_t>(maximum_) + 1);
    for (size_t value = 0; value < table_.size(); ++value) {
      const double scaled = static_cast<double>(value) / static_cast<double>(maximum_) * full;
      table_[value] = static_cast<uint8_t>(std::min(255.0, std::nearbyint(scaled)));
    }
  }

  std::vector<uint8_t> numbers(std::string_view body) const {
    const size_t each = maximum_ > 255 ? 2 : 1;
    need_bytes(body.size(), samples_ * each);
    if (maximum_ == 255)
      return {body.begin(), body.begin() + static_cast<std::ptrdiff_t>(samples_)};
    std::vector<uint8_t> samples(samples_);
    const auto byte = [&](size_t at) {
      return static_cast<size_t>(static_cast<uint8_t>(body[at]));
    };
    for (size_t i = 0; i < samples_; ++i) {
      const size_t value = each == 1 ? byte(i) : byte(2 * i) << 8 | byte(2 * i + 1);
      samples[i] = table_[std::min(value, table_.size() - 1)];
    }
    return samples;
  }

  std::vector<uint8_t> bits(std::string_view body) const {
    const auto width = static_cast<size_t>(width_);
    const size_t row_bytes = (width + 7) / 8;
    need_bytes(body.size(), row_bytes * static_cast<size_t>(height_));
    std::vector<uint8_t> samples(samples_);
    for (size_t i = 0; i < samples_; ++i) {
      const size_t column = i % width;
      const auto packed = static_cast<uint8_t>(body[i / width * row_bytes + column / 8]);
      samples[i] = packed >> (7 - column % 8) & 1 ? 0 : 255;
    }
    return samples;
  }

  static constexpr int kEnd = -1;

  // The next character that is not in a comment.
  static int next(std::string_view& body) {
    while (!body.empty() && body.front() == '#') {
      body.remove_prefix(std::min(body.find_first_of("\r\n"), body.size() - 1) + 1);
    }
    if (body.empty()) return kEnd;
    const int c = static_cast<uint8_t>(body.front());
    body.remove_prefix(1);
    return c;
  }

  std::vector<uint8_t> plain_bits(std::string_view body) const {
    need_bytes(body.size(), samples_);
    std::vector<uint8_t> samples;
    samples.reserve(samples_);
    while (samples.size() < samples_) {
      const int c = next(body);
      if (is_space(c)) continue;
      need(c != kEnd, "cut off");
      need(c == '0' || c == '1', "a pixel that is neither 0 nor 1");
      samples.push_back(c == '0' ? 255 : 0);
    }
    return samples;
  }

  std::vector<uint8_t> plain_numbers(std::string_view body) const {
    need_bytes(body.size(), 2 * samples_ - 1);
    std::vector<uint8_t> samples;
    samples.reserve(samples_);
    while (samples.size() < samples_) {
      int c = next(body);
      while (is_space(c)) c = next(body);
      need(c != kEnd, "cut off");
      size_t value = 0;
      for (; c != kEnd && !is_space(c); c = next(body)) {
        need(is_digit(c), "a pixel that is no number");
        value = 10 * value + static_cast<size_t>(c - '0');
        need(value < table_.size(), "a value above the maximum that the header gives");
      }
      samples.push_back(table_[value]);
    }
    return samples;
  }

  std::string_view bytes_;
  const std::string& name_;
  int kind_ = 0;
  size_t at_ = 0;
  int64_t width_ = 0, height_ = 0, maximum_ = 1;
  size_t channels_ = 1, samples_ = 0;
  std::vector<uint8_t> table_;
};

}  // namespace

bool is_pnm(std::string_view bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6';
}

Image decode_pnm(std::string_view bytes, const std::string& name) {
  return Pnm(bytes, name).decode();
}

}  // namespace wf
