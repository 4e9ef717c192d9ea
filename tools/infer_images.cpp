#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "config/load.h"
#include "data/image/decode.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/classification/predictor.h"
#include "infer.h"
#include "runtime/log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace wf {
namespace {

namespace fs = std::filesystem;

// The files that `paths` name, and those below the directories among them, in order.
std::vector<std::string> image_files(const std::vector<std::string>& paths) {
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

void print(const std::string& path, const std::vector<Prediction>& predictions, bool as_json) {
  nlohmann::ordered_json line{{"image", path}, {"top", nlohmann::ordered_json::array()}};
  if (!as_json) std::cout << path << "\n";
  for (const auto& [name, index, probability] : predictions) {
    line["top"].push_back({{"class", name}, {"index", index}, {"probability", probability}});
    if (!as_json) std::cout << fmt::format("  {:6.2f} %  {}\n", 100 * probability, name);
  }
  if (as_json) std::cout << line.dump() << "\n";
}

}  // namespace

int infer_images(const InferArguments& a) {
  auto config = load_config(a.cfg, a.opts);
  set_key(config, "DEVICE", a.device, "--device");
  auto weights = read_weights(a.resume, {a.ema, Checksums::while_loading});
  const auto device = build_device(config);
  const auto model = build_classifier(config, device);
  const auto classes = weights.classes;
  load_weights(*model, std::move(weights), a.resume, {a.allow_missing, false});
  const Predictor predictor(model, build_eval_transform(config), classes, device);
  int code = 0;
  for (const auto& path : image_files(a.images)) {
    try {
      print(path, predictor.top(read_image(path), a.top), a.json);
    } catch (const UnreadableImage& problem) {
      log::error("{}", problem.what());
      code = Error::kBadInput;
    }
  }
  return code;
}

}  // namespace wf
