#include "core/npy.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/little_endian.h"
#include "core/mapped_file.h"
#include "core/text.h"

#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <cctype>
#include <cstring>
#include <limits>

namespace wf {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kHeaderAlignment = 64;
constexpr size_t kMostDims = 64;  // as in NumPy

struct NpyType {
  const char* name;
  at::ScalarType type;
};
constexpr NpyType kTypes[] = {
    {"<f4", at::kFloat}, {"<f8", at::kDouble}, {"<f2", at::kHalf},
    {"|u1", at::kByte},  {"|i1", at::kChar},   {"<i2", at::kShort},
    {"<i4", at::kInt},   {"<i8", at::kLong},   {"|b1", at::kBool},
};

// Parses the text of the header, a Python dict of three known keys.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  NpyHeader parse() {
    NpyHeader out;
    bool type = false, order = false, shape = false;
    take('{');
    for (bool first = true; !skip('}'); first = false) {
      if (!first && (take(','), skip('}'))) break;
      const auto key = word();
      take(':');
      if (key == "descr" && !type)
        out.type = type_named(word()), type = true;
      else if (key == "fortran_order" && !order)
        require_c_order(), order = true;
      else if (key == "shape" && !shape)
        out.shape = sizes(), shape = true;
      else
        fail();
    }
    blanks();
    if (!type || !order || !shape || at_ != text_.size()) fail();
    return out;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(path_ + ": damaged .npy file: its header cannot be read");
  }

  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool skip(char mark) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != mark) return false;
    ++at_;
    return true;
  }
  void take(char mark) {
    if (!skip(mark)) fail();
  }

  std::string word() {
    blanks();
    // A list instead of a name is a record type.
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) fail();
    const auto end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) fail();
    const auto found = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return std::string(found);
  }

  at::ScalarType type_named(const std::string& name) const {
    for (const auto& known : kTypes) {
      if (name == known.name) return known.type;
    }
    WF_CHECK(!starts_with(name, ">"), path_, ": the array is big-endian (", name,
             "): save it with array.astype(array.dtype.newbyteorder('<'))");
    throw Error(str(path_, ": the array has type ", name, ", supported are ",
                    "float16, 32, 64, int8 to int64, uint8, bool"));
  }

  void require_c_order() {
    blanks();
    WF_CHECK(!starts_with(text_.substr(at_), "True"), path_,
             ": the array is in Fortran order: save it with numpy.ascontiguousarray(array)");
    if (!starts_with(text_.substr(at_), "False")) fail();
    at_ += 5;
  }

  // A tuple of Python: of one element it has a comma, (3,).
  std::vector<int64_t> sizes() {
    std::vector<int64_t> out;
    take('(');
    for (bool comma = false; !skip(')');) {
      if (out.size() >= kMostDims || (!out.empty() && !comma)) fail();
      blanks();
      int64_t size = 0;
      const size_t begin = at_;
      for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])); ++at_) {
        if (size > std::numeric_limits<int64_t>::max() / 10 - 1) fail();
        size = 10 * size + (text_[at_] - '0');
      }
      if (at_ == begin) fail();
      if (at_ - begin > 1 && text_[begin] == '0') fail();
      out.push_back(size);
      comma = skip(',');
      if (out.size() == 1 && !comma) fail();
    }
    return out;
  }

  std::string_view text_;
  const std::string& path_;
  size_t at_ = 0;
};

// Counts the elements of `shape`; false when there are more than `max`. Checked for an empty array
// too, as its other sizes become strides.
bool fits(const std::vector<int64_t>& shape, uint64_t max, uint64_t& count) {
  constexpr uint64_t kLargest = uint64_t{1} << 62;
  uint64_t product = 1;
  bool empty = false;
  for (const auto size : shape) {
    empty = empty || size == 0;
    if (size == 0) continue;
    if (product > kLargest / static_cast<uint64_t>(size)) return false;
    product *= static_cast<uint64_t>(size);
  }
  count = empty ? 0 : product;
  return count <= max;
}

}  // namespace

NpyHeader parse_npy(std::string_view file, const std::string& path) {
  WF_CHECK(starts_with(file, kMagic) && file.size() >= 12, path, ": not a .npy file");
  const auto version = static_cast<uint8_t>(file[6]);
  WF_CHECK(version >= 1 && version <= 3, path, ": .npy format version ", int{version},
           " is not supported (1 to 3 are)");
  const size_t begin = version == 1 ? 10 : 12;
  const size_t length =
      version == 1 ? load_number<uint16_t>(file, 8) : load_number<uint32_t>(file, 8);
  WF_CHECK(length <= file.size() - begin, path, ": truncated .npy file: it ends inside its header");
  auto header = HeaderText(file.substr(begin, length), path).parse();
  header.data = begin + length;
  const uint64_t available = file.size() - header.data, width = c10::elementSize(header.type);
  uint64_t count = 0;
  WF_CHECK(fits(header.shape, available / width, count), path, ": truncated .npy file: an array ",
           at::IntArrayRef(header.shape), " of ", width, "-byte numbers needs more than its ",
           available, " bytes");
  WF_CHECK(count * width == available, path, ": .npy file with ", available - count * width,
           " extra bytes after its array");
  return header;
}

at::Tensor read_npy(std::string_view file, const std::string& path) {
  const auto header = parse_npy(file, path);
  const auto out = at::empty(header.shape, header.type);
  if (out.numel() > 0) std::memcpy(out.data_ptr(), file.data() + header.data, out.nbytes());
  return out;
}

at::Tensor read_npy(const std::string& path) {
  const MappedFile file(path);
  return read_npy(file.bytes(), path);
}

std::string npy_header(at::ScalarType type, const std::vector<int64_t>& shape) {
  const char* name = nullptr;
  for (const auto& known : kTypes) {
    if (known.type == type) name = known.name;
  }
  WF_CHECK(name, ".npy files of ", type, " cannot be written");
  std::string text = str("{'descr': '", name, "', 'fortran_order': False, 'shape': (");
  for (const auto size : shape) text += std::to_string(size) + ", ";
  if (shape.size() > 1) text.resize(text.size() - 2);
  if (shape.size() == 1) text.pop_back();  // a tuple of one keeps its comma
  text += "), }";
  constexpr size_t kBefore = 10;
  const size_t end =
      (kBefore + text.size() + 1 + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment;
  text.resize(end - kBefore - 1, ' ');
  text += '\n';
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  append_number(out, static_cast<uint16_t>(text.size()));
  return out + text;
}

void write_npy(const std::string& path, const at::Tensor& array) {
  const auto data = array.cpu().contiguous();
  const auto header = npy_header(data.scalar_type(), data.sizes().vec());
  AtomicFile file(path);
  file.write(header.data(), header.size());
  file.write(data.data_ptr(), data.nbytes());
  file.commit();
}

}  // namespace wf
