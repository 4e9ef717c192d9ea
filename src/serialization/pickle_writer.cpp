#include "weightformer/core/check.h"

#include "serialization/pickle.h"

#include <cstring>

namespace wf::pickle {
namespace {

void put_number(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

class Writer {
 public:
  std::string run(const Value& root) {
    out_ = "\x80\x02";
    value(root);
    out_ += '.';
    return std::move(out_);
  }

 private:
  void value(const Value& v) {
    switch (v.kind) {
      case Kind::boolean:
        out_ += v.integer ? '\x88' : '\x89';
        return;
      case Kind::integer:
        return integer(v.integer);
      case Kind::real:
        return real(v.real);
      case Kind::text:
        return text(v.text);
      case Kind::bytes:
        return bytes(v.text);
      case Kind::list:
        return items("]", v, 'e');
      case Kind::dict:
        return items("}", v, 'u');
      case Kind::tuple:
        return tuple(v);
      case Kind::set:
        out_ += "c__builtin__\nset\n";
        items("]", v, 'e');
        out_ += "\x85R";
        return;
      case Kind::tensor:
        return tensor(v);
      case Kind::none:
      case Kind::global:
      case Kind::storage:
      case Kind::opaque:
        out_ += 'N';
        return;
    }
  }

  void integer(int64_t value) {
    if (value >= 0 && value < 256) {
      out_ += 'K';
      put_number(out_, static_cast<uint64_t>(value), 1);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      out_ += 'J';
      put_number(out_, static_cast<uint64_t>(value), 4);
    } else {
      out_ += "\x8a\x08";
      put_number(out_, static_cast<uint64_t>(value), 8);
    }
  }

  void real(double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    out_ += 'G';
    for (int i = 7; i >= 0; --i) out_.push_back(static_cast<char>(bits >> (8 * i)));
  }

  void text(std::string_view value) {
    out_ += 'X';
    put_number(out_, value.size(), 4);
    out_ += value;
  }

  // Protocol 2 has no bytes: _codecs.encode(their latin-1 text, "latin1").
  void bytes(const std::string& value) {
    std::string utf8;
    for (const char c : value) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte >= 0x80) utf8.push_back(static_cast<char>(0xC0 | byte >> 6));
      utf8.push_back(static_cast<char>(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte));
    }
    out_ += "c_codecs\nencode\n";
    text(utf8);
    text("latin1");
    out_ += "\x86R";
  }

  void items(const char* empty, const Value& v, char add) {
    out_ += empty;
    if (v.items.empty()) return;
    out_ += '(';
    for (const auto* item : v.items) value(*item);
    out_ += add;
  }

  void tuple(const Value& v) {
    if (v.items.empty()) {
      out_ += ')';
      return;
    }
    out_ += '(';
    for (const auto* item : v.items) value(*item);
    out_ += 't';
  }

  void numbers(const std::vector<int64_t>& values) {
    out_ += '(';
    for (const int64_t number : values) integer(number);
    out_ += 't';
  }

  void tensor(const Value& v) {
    out_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    out_ += std::string("ctorch\n") + storage_of(v.storage->dtype) + "\n";
    text(v.storage->text);
    text("cpu");
    integer(v.storage->integer);
    out_ += "tQ";
    integer(v.integer);
    numbers(v.sizes);
    numbers(v.strides);
    out_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR";  // needs no gradient, has no hooks
  }

  std::string out_;
};

}  // namespace

std::string write(const Value& root) { return Writer().run(root); }

Value* Document::make(Kind kind) {
  values.emplace_back().kind = kind;
  return &values.back();
}

Value* Document::of(bool value) {
  auto* out = make(Kind::boolean);
  out->integer = value;
  return out;
}
Value* Document::of(int64_t value) {
  auto* out = make(Kind::integer);
  out->integer = value;
  return out;
}
Value* Document::of(double value) {
  auto* out = make(Kind::real);
  out->real = value;
  return out;
}
Value* Document::of(std::string_view value) {
  auto* out = make(Kind::text);
  out->text = value;
  return out;
}

Value* Document::put(Value* dict, std::string_view key, Value* value) {
  dict->items.push_back(of(key));
  dict->items.push_back(value);
  return value;
}

}  // namespace wf::pickle
