// Converts checkpoints and weights between PyTorch's .pth and safetensors. See --help.

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "average_weights.h"
#include "checkpoint/weights_metadata.h"
#include "convert_listing.h"
#include "convert_to_dit.h"
#include "tool.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>

namespace {

using namespace wf;

struct Arguments {
  std::string input, output, to;
  std::vector<std::string> others;  // averaged with the input
  bool weights_only = false, ema = false, list = false;
};

void write_weights(const Arguments& a, bool to_safetensors) {
  WeightsOptions options;
  options.ema = a.ema;
  std::vector<std::string> paths{a.input};
  paths.insert(paths.end(), a.others.begin(), a.others.end());
  const auto weights =
      a.others.empty() ? read_weights(a.input, options) : average_weights(paths, options);
  if (!weights.source_key.empty() && !a.weights_only && !a.ema && a.others.empty()) {
    log::info(
        "{}: only its weights are written to {} (from {}); a .pth holds a complete checkpoint",
        a.input, a.output, weights.source_key);
  }
  if (to_safetensors) {
    Safetensors out{weights.tensors, {{"format", "pt"}}, {}};
    out.metadata.merge(weights_metadata(weights));
    write_safetensors(a.output, out);
    return;
  }
  TensorTree tree;
  std::vector<std::string> names;
  for (const auto& item : weights.tensors) names.push_back(item.first);
  tree.write(a.output, *tree.of(names, weights.tensors));
}

// The complete content of a file of torch.save, in types that torch.load(weights_only=True)
// accepts.
void rewrite(const Arguments& a) {
  TensorFile file(a.input);
  file.verify();
  warn_of_what_is_left_out(file);
  TensorTree tree;
  tree.write(a.output, *tree.copy_of(file));
}

void convert(const Arguments& a) {
  const auto end = std::filesystem::path(a.output).extension().string();
  const bool to_safetensors = end == ".safetensors";
  WF_CHECK(to_safetensors || end == ".pth" || end == ".pt", a.output,
           ": the name must end in .pth, .pt or .safetensors");
  std::error_code ignored;
  WF_CHECK(!std::filesystem::equivalent(a.input, a.output, ignored), a.output,
           ": is the input; give another name");
  if (!a.to.empty()) return convert_to_dit(a.input, a.output);
  const bool from_torch = is_torch(*open_tensors(a.input));
  const bool all = from_torch && !to_safetensors && !a.weights_only && !a.ema && a.others.empty();
  all ? rewrite(a) : write_weights(a, to_safetensors);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Converts checkpoints and weights between PyTorch's .pth and safetensors.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.add_option("input", a.input, "any file of weights or a checkpoint")->required();
    app.add_option("output", a.output,
                   "output file: NAME.pth (a complete checkpoint) or NAME.safetensors (weights)");
    app.add_flag("--weights-only", a.weights_only, "only the weights, as a bare state dict");
    app.add_flag("--ema", a.ema, "only the EMA weights");
    app.add_option("--to", a.to, "dit: a checkpoint as DiT's and fast-DiT's train.py write it")
        ->check(CLI::IsMember({"dit"}));
    app.add_option("--average", a.others,
                   "write the mean of the weights of the input and of these");
    app.add_flag("--list", a.list, "list the content of the input");
    app.parse(argc, argv);
    WF_CHECK(a.list || !a.output.empty(), "give an output file, or --list");
    if (a.list) return list_file(a.input), 0;
    convert(a);
    std::cout << a.output << ": " << std::filesystem::file_size(a.output) << " bytes\n";
    return 0;
  });
}
