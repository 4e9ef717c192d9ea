// Converts checkpoints and weights between PyTorch's .pth and safetensors. See --help.

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "core/registry.h"
#include "runtime/log.h"
#include "serialization/tree_json.h"
#include "tool.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <unordered_set>

namespace {

using namespace wf;
using pickle::Kind;
using pickle::Value;

struct Arguments {
  std::string input, output;
  bool weights_only = false, ema = false, list = false;
};

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

// Prints a tree, a line each value; short where a file would make it endless.
class Listing {
 public:
  void show(const Value& value, const std::string& path) {
    constexpr int64_t kMostLines = 100'000;
    if (lines_ > kMostLines) return;
    const bool container = value.is(Kind::list) || value.is(Kind::tuple) || value.is(Kind::set);
    if (value.is(Kind::dict) || (container && !all_plain(value))) {
      const size_t step = value.is(Kind::dict) ? 2 : 1;
      for (size_t i = 0; i + step <= value.items.size(); i += step) {
        const auto name = step == 1 ? std::to_string(i) : value.items[i]->as_key();
        show(*value.items[i + step - 1], joined(path, name));
      }
      return;
    }
    lines_ += 1;
    std::cout << (lines_ > kMostLines ? "…" : path + ": " + text(value)) << "\n";
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
  int64_t lines_ = 0;
};

// Names what could not be read and so is left out. Nothing but that is no checkpoint.
void say_what_is_left_out(const TensorFile& file) {
  constexpr size_t kNamed = 5;
  std::vector<std::string> named;
  size_t count = 0;
  bool tensors = false;
  // A few bytes of pickle can put one value in more places than anyone can visit.
  std::unordered_set<const Value*> seen;
  const std::function<void(const Value&, const std::string&)> look = [&](const Value& value,
                                                                         const std::string& path) {
    if (!seen.insert(&value).second) return;
    tensors = tensors || value.is(Kind::tensor);
    if ((value.is(Kind::opaque) || value.is(Kind::global)) && ++count <= kNamed) {
      named.push_back(str(path.empty() ? "all of it" : path, " (", value.text.substr(0, 80), ")"));
    }
    const bool dict = value.is(Kind::dict);
    for (size_t i = dict ? 1 : 0; i < value.items.size(); i += dict ? 2 : 1) {
      look(*value.items[i], joined(path, dict ? value.items[i - 1]->as_key() : std::to_string(i)));
    }
  };
  look(file.root(), "");
  WF_CHECK(tensors, file.path(), ": no tensor in it that could be converted",
           count ? "; not read: " + join(named, ", ") : "");
  if (count == 0) return;
  log::warning("{}: {} values are left out, being neither tensors nor plain: {}{}", file.path(),
               count, join(named, ", "), count > kNamed ? ", …" : "");
}

int list(const std::string& path) {
  if (is_torch(*open_tensors(path))) {
    const TensorFile file(path);
    Listing().show(file.root(), "");
    file.verify();
    std::cout << "PyTorch file, checksums hold\n";
    return 0;
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
  return 0;
}

void write_weights(const Arguments& a, bool to_safetensors) {
  WeightsOptions options;
  options.ema = a.ema;
  const auto weights = read_weights(a.input, options);
  if (to_safetensors) {
    Safetensors out{weights.tensors, {{"format", "pt"}}, {}};
    if (!weights.classes.empty()) {
      out.metadata["classes"] = nlohmann::json(weights.classes).dump();
    }
    write_safetensors(a.output, out);
    return;
  }
  TensorTree tree;
  std::vector<std::string> names;
  for (const auto& item : weights.tensors) names.push_back(item.first);
  tree.write(a.output, *tree.of(names, weights.tensors));
}

int convert(const Arguments& a) {
  const auto end = std::filesystem::path(a.output).extension().string();
  const bool to_safe = end == ".safetensors";
  WF_CHECK(to_safe || end == ".pth" || end == ".pt", a.output,
           ": what to write? The name must end in .pth, .pt or .safetensors");
  std::error_code ignored;
  WF_CHECK(!std::filesystem::equivalent(a.input, a.output, ignored), a.output,
           ": is the input; give another name");
  const bool from_torch = is_torch(*open_tensors(a.input));
  if (a.weights_only || a.ema) {
    write_weights(a, to_safe);
  } else if (from_torch) {
    TensorFile file(a.input);
    file.verify();
    say_what_is_left_out(file);
    TensorTree tree;
    to_safe ? write_safetensors(a.output, to_safetensors(file))
            : tree.write(a.output, *copy_tree(file, tree));
  } else {
    const auto file = read_safetensors(a.input);
    if (!file.metadata.count(kTreeKey) || to_safe) {
      write_weights(a, to_safe);
    } else {
      TensorTree tree;
      tree.write(a.output, *from_safetensors(file, tree, a.input));
    }
  }
  std::cout << a.output << ": " << std::filesystem::file_size(a.output) << " bytes\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Converts checkpoints and weights between PyTorch's .pth and safetensors.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.add_option("input", a.input, "any file of weights or a checkpoint")->required();
    app.add_option("output", a.output, "what to write: NAME.pth or NAME.safetensors");
    app.add_flag("--weights-only", a.weights_only, "the weights alone, as a bare state dict");
    app.add_flag("--ema", a.ema, "the averaged weights alone");
    app.add_flag("--list", a.list, "print what the input holds");
    app.parse(argc, argv);
    WF_CHECK(a.list || !a.output.empty(), "give an output file, or --list");
    if (a.list) return list(a.input);
    return convert(a);
  });
}
