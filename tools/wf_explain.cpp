// A page about what a classifier decided for images. See --help and docs/inside_the_model.md.

#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "core/atomic_file.h"
#include "data/image/decode.h"
#include "data/sources/image_files.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/inspect/explanation.h"
#include "tool.h"

#include <torch/types.h>

#include <iostream>

namespace {

using namespace wf;

// More would be a page that no browser shows well.
constexpr size_t kMostImages = 8;

struct Arguments {
  std::vector<std::string> images, opts;
  std::string weights, cfg, output = "explanation.html", device = "auto";
  int64_t top = 3;
  bool ema = false;
};

at::Tensor input_of(const std::string& path, const Transform& transform) {
  auto out = torch::empty({3, transform.size(), transform.size()});
  CounterRng unused{0};  // evaluation transforms are deterministic
  transform(read_image(path), unused, out.data_ptr<float>());
  return out;
}

int explain_images(const Arguments& a) {
  const auto files = image_files(a.images);
  WF_CHECK(files.size() <= kMostImages, files.size(), " images: wf_explain shows at most ",
           kMostImages, " side by side");
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  auto config = load_config(a.cfg, a.opts);
  set_key(config, "DEVICE", a.device, "--device");
  config = evaluation_config(std::move(config), weights, a.weights);
  WF_CHECK(config.model.type == "wfm", a.weights, ": MODEL.TYPE is ", config.model.type,
           ", and wf_explain is for classifiers (wfm)");
  const auto side = config.data.img_size;
  warn_of_uncovered_pixels("DATA.IMG_SIZE: images", side, side, patch_size(config));
  const auto model =
      std::dynamic_pointer_cast<WeightFormerImpl>(build_classifier(config, build_device(config)));
  WF_CHECK(model, config.model.name, ": wf_explain is for WeightFormer classifiers");
  const auto names = weights.classes;
  load_weights(*model, std::move(weights), a.weights);
  const auto transform = build_eval_transform(config);
  std::vector<Explanation> images;
  for (const auto& file : files) {
    images.push_back(explain(*model, file.path, input_of(file.path, *transform), names, a.top));
    const auto& best = images.back().classes.at(0);
    std::cout << file.path << ": " << best.name << "\n";
  }
  write_text_file(a.output, explanation_page(config.model.name, images));
  std::cout << a.output << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  wf::prepare_process(argv);
  CLI::App app(
      "Writes one HTML page about what a classifier decided for images, side by side: the evidence "
      "of each token for the classes, the kernels and weights that were predicted.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.add_option("images,--images", a.images, "images, or directories of them")->required();
    app.add_option("--resume,--weights", a.weights,
                   "trained weights: .pth, .safetensors or a checkpoint")
        ->required();
    app.add_option("--output", a.output, "the page, explanation.html by default");
    app.add_option("--top", a.top, "how many classes to explain")->check(CLI::PositiveNumber);
    app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_option("--device", a.device, "auto, cpu or cuda");
    app.add_flag("--ema", a.ema, "the EMA weights of a checkpoint");
    app.parse(argc, argv);
    return explain_images(a);
  });
}
