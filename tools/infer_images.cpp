#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "data/image/decode.h"
#include "data/sources/image_files.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/classification/predictor.h"
#include "infer.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <iostream>
#include <optional>
#include <set>

namespace wf {
namespace {

void print_json(const std::string& path, const std::optional<std::string>& label,
                const std::vector<Prediction>& predictions) {
  using Json = nlohmann::ordered_json;
  Json line{{"image", path}, {"label", label ? Json(*label) : Json()}, {"top", Json::array()}};
  for (const auto& [name, index, probability] : predictions) {
    line["top"].push_back({{"class", name}, {"index", index}, {"probability", probability}});
  }
  // The name of a file may not be UTF-8, which JSON is.
  std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
}

void print(const std::string& path, const std::vector<Prediction>& predictions) {
  std::cout << path << "\n";
  for (const auto& [name, index, probability] : predictions) {
    std::cout << fmt::format("  {:6.2f} %  {}\n", 100 * probability, name);
  }
}

}  // namespace

int infer_images(const InferArguments& a) {
  const auto files = images_and_archives(a.images);  // first: a wrong path costs no loading
  auto weights = read_weights(a.weights, {a.ema, Checksums::while_loading});
  const auto config = infer_config(a, weights);
  WF_CHECK(config.model.type == "wfm", a.weights, ": MODEL.TYPE is ", config.model.type,
           ", no classifier; wf_sample generates images with it");
  const auto side = config.data.img_size;
  warn_of_uncovered_pixels("DATA.IMG_SIZE: images", side, side, patch_size(config));
  const auto device = build_device(config);
  const auto model = build_classifier(config, device);
  const auto classes = weights.classes;
  load_weights(*model, std::move(weights), a.weights, {a.allow_missing, false});
  const Predictor predictor(model, build_eval_transform(config), classes, device);
  const std::set<std::string> known(classes.begin(), classes.end());
  int code = 0;
  // Where the predictions are on the terminal, they show the progress themselves.
  std::optional<ProgressBar> bar;
  if (files.size() > 1 && ::isatty(STDOUT_FILENO) == 0) bar.emplace("images", files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    if (bar) bar->show(static_cast<int64_t>(i));
    try {
      const auto predictions = predictor.top(file.load(), a.top);
      a.json ? print_json(file.path, label_of(file, known, classes), predictions)
             : print(file.path, predictions);
    } catch (const UnreadableImage& problem) {
      log::error("{}", problem.what());
      code = Error::kBadInput;
    }
  }
  return code;
}

}  // namespace wf
