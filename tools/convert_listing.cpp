#include "convert_listing.h"

#include "weightformer/core/check.h"

#include "runtime/log.h"

#include <iostream>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

// Prints a tree, one value per line, shortened for huge files.
class Listing {
 public:
  void show(const Value& value, const std::string& path) {
    // Not lines: containers without anything in them print none, and may be nested without end.
    constexpr int64_t kMaxVisits = 100'000;
    if (visits_ > kMaxVisits) return;
    if (++visits_ > kMaxVisits) {
      std::cout << "…\n";
      return;
    }
    const bool container = value.is(Kind::list) || value.is(Kind::tuple) || value.is(Kind::set);
    if (value.is(Kind::dict) || (container && !all_plain(value))) {
      const size_t step = value.is(Kind::dict) ? 2 : 1;
      for (size_t i = 0; i + step <= value.items.size(); i += step) {
        const auto name = step == 1 ? std::to_string(i) : value.items[i]->as_key();
        show(*value.items[i + step - 1], child_path(path, name));
      }
      return;
    }
    std::cout << path << ": " << text(value) << "\n";
  }

 private:
  static bool all_plain(const Value& value) {
    for (const auto* item : value.items) {
      if (!item->items.empty() || item->is(Kind::tensor)) return false;
    }
    return true;
  }
  static std::string text(const Value& value) {
    switch (value.kind) {
      case Kind::none:
        return "None";
      case Kind::boolean:
        return value.integer ? "True" : "False";
      case Kind::integer:
        return std::to_string(value.integer);
      case Kind::real:
        return fmt::format("{}", value.real);
      case Kind::text:
        return "\"" + value.text.substr(0, 200) + "\"";
      case Kind::bytes:
        return str(value.text.size(), " bytes");
      case Kind::tensor:
        return wf::str(pickle::name_of(value.dtype), " ", at::IntArrayRef(value.sizes));
      case Kind::list:
      case Kind::tuple:
      case Kind::set: {
        std::string out;
        constexpr size_t kShown = 20;
        for (size_t i = 0; i < value.items.size() && i < kShown; ++i) {
          out += (i ? ", " : "") + text(*value.items[i]);
        }
        return "(" + out + (value.items.size() > kShown ? ", …)" : ")");
      }
      default:
        return "not read: " + value.text;
    }
  }
  int64_t visits_ = 0;
};

}  // namespace

void list_file(const std::string& path) {
  if (is_torch(*open_tensors(path))) {
    const TensorFile file(path);
    Listing().show(file.root(), "");
    file.verify();
    std::cout << "PyTorch file, checksums are correct\n";
    return;
  }
  const auto file = read_safetensors(path);
  for (const auto& [name, tensor] : file.tensors) {
    std::cout << name << ": " << pickle::name_of(file_dtype(tensor.scalar_type())) << " "
              << tensor.sizes() << "\n";
  }
  for (const auto& [key, text] : file.metadata) {
    std::cout << "metadata " << key << ": " << text.substr(0, 200) << "\n";
  }
  std::cout << "safetensors file\n";
}

}  // namespace wf
