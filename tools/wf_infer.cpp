// Runs a trained classifier on a tensor or on pictures, or a diffusion model on tensors. See
// --help.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"
#include "weightformer/models/dit.h"
#include "weightformer/serialization/weights.h"

#include "config/load.h"
#include "data/image/decode.h"
#include "engine/build.h"
#include "engine/classification/predictor.h"
#include "infer.h"
#include "runtime/log.h"
#include "tool.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace {

using namespace wf;
namespace fs = std::filesystem;

// --model NAME --weights F --input X --output Y
int run_on_tensors(const InferArguments& a) {
  if (is_dit(a.model)) return infer_latents(a);
  WF_CHECK(!a.guidance, "--guidance is for diffusion models, and ", a.model, " is a classifier");
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  Config config;
  set_key(config, "DEVICE", a.device, "--device");
  config.model.name = a.model;
  // The weights know how many classes there are; a name does not.
  const auto head = weights.tensors.find("head.weight");
  config.model.num_classes =
      head != weights.tensors.end() && head->second.dim() == 2 ? head->second.size(0) : 1000;
  const auto device = build_device(config);
  const auto model = build_classifier(config, device);
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  model->eval();
  const auto input = read_safetensors(a.input);
  const auto x = input.tensors.find("x");
  WF_CHECK(x != input.tensors.end(), a.input, ": no tensor 'x' in it");
  const torch::InferenceMode inference;
  const auto logits = model->forward(x->second.to(device, torch::kFloat));
  write_safetensors(a.output, {{{"logits", logits}}});
  std::cout << a.output << ": logits " << logits.sizes() << "\n";
  return 0;
}

std::vector<std::string> picture_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const auto& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    const auto first = files.size();
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
  }
  return files;
}

void print_answer(const std::string& path, const std::vector<Prediction>& answer, bool as_json) {
  nlohmann::ordered_json line{{"image", path}, {"top", nlohmann::ordered_json::array()}};
  if (!as_json) std::cout << path << "\n";
  for (const auto& [name, index, probability] : answer) {
    line["top"].push_back({{"class", name}, {"index", index}, {"probability", probability}});
    if (!as_json) std::cout << fmt::format("  {:6.2f} %  {}\n", 100 * probability, name);
  }
  if (as_json) std::cout << line.dump() << "\n";
}

// --cfg C --resume F --images PATH…
int run_on_pictures(const InferArguments& a) {
  auto config = load_config(a.cfg, a.opts);
  set_key(config, "DEVICE", a.device, "--device");
  auto weights = read_weights(a.resume, {a.ema, Checksums::while_loading});
  const auto device = build_device(config);
  const auto model = build_classifier(config, device);
  const auto classes = weights.classes;
  load_weights(*model, std::move(weights), a.resume, {a.allow_missing, false});
  const Predictor predictor(model, build_eval_transform(config), classes, device);
  int code = 0;
  for (const auto& path : picture_files(a.images)) {
    try {
      print_answer(path, predictor.top(read_image(path), a.top), a.json);
    } catch (const UnreadableImage& problem) {
      log::error("{}", problem.what());
      code = Error::kBadInput;
    }
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  wf::keep_freed_memory();
  CLI::App app(
      "Classifies a tensor (--model --weights --input --output) or pictures (--cfg --resume "
      "--images), or denoises latents (--model dit_… --weights --input --output).");
  return wf::run_tool(&app, [&] {
    InferArguments a;
    auto* model =
        app.add_option("--model", a.model, "name of the model, for example wfm_tiny or dit_s_2");
    auto* weights =
        app.add_option("--weights", a.weights, "its weights: .pth, .safetensors or a checkpoint");
    auto* input = app.add_option("--input", a.input,
                                 "safetensors with x [B, 3, H, W]; for DiT x [B, 4, H, W], "
                                 "t [B] (steps), y [B] (labels, int64)");
    auto* output = app.add_option("--output", a.output,
                                  "where logits [B, classes] go; for DiT out [B, 8, H, W]");
    model->needs(weights)->needs(input)->needs(output);
    app.add_option("--guidance", a.guidance,
                   "classifier-free guidance of a DiT: the second half of the batch is the first "
                   "once more, with the label for no class")
        ->needs(model);
    auto* cfg = app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    auto* resume =
        app.add_option("--resume", a.resume, "checkpoint or weights: .pth or .safetensors");
    auto* images = app.add_option("--images", a.images, "pictures, or folders of them");
    cfg->needs(resume)->needs(images)->excludes(model);
    app.add_option("--opts", a.opts, "KEY VALUE … over the configuration");
    app.add_option("--device", a.device, "auto, cpu or cuda");
    app.add_option("--top", a.top, "how many classes to name")->check(CLI::PositiveNumber);
    app.add_flag("--ema", a.ema, "the averaged weights of a checkpoint");
    app.add_flag("--allow-missing", a.allow_missing, "accept weights that do not fill the model");
    app.add_flag("--json", a.json, "one JSON object a picture");
    app.parse(argc, argv);
    WF_CHECK(model->count() + cfg->count() == 1,
             "give --model with --weights --input --output, or --cfg with --resume --images");
    return model->count() ? run_on_tensors(a) : run_on_pictures(a);
  });
}
