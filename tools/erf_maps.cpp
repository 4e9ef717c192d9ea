#include "weightformer/core/check.h"
#include "weightformer/nn/mixers.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/inspect/effective_field.h"
#include "erf.h"

#include <torch/utils.h>

#include <algorithm>
#include <filesystem>

namespace wf {
namespace {

std::string title_of(const std::string& path) {
  const std::filesystem::path file(path);
  return (file.parent_path().filename() / file.stem()).string();
}

class Fields {
 public:
  explicit Fields(const ErfArguments& a) : a_(a), given_(load_config(a.cfg, a.opts)) {
    set_key(given_, "DEVICE", a.device, "--device");
    base_ = given_;
  }

  FieldSheet compute() {
    std::vector<FieldColumn> trained;
    for (const auto& path : a_.weights) trained.push_back(column_of(path));
    if (a_.figure3) trained = by_predictor(std::move(trained));
    if (trained.empty()) trained.push_back(column(base_));
    return {std::move(trained), images_.size(0)};
  }

 private:
  FieldColumn column(const Config& config) {
    const auto &linear = config.model.linear_predictor, &conv = config.model.conv_predictor;
    WF_CHECK(config.model.type == "wfm", "MODEL.TYPE is ", config.model.type,
             ", and wf_erf is for classifiers (wfm)");
    if (!images_.defined()) images_ = erf_images(a_, config);
    torch::manual_seed(static_cast<uint64_t>(a_.seed));  // as training with this SEED
    network_ =
        std::dynamic_pointer_cast<WeightFormerImpl>(build_classifier(config, build_device(config)));
    WF_CHECK(network_, config.model.name, ": wf_erf is for WeightFormer classifiers");
    return {linear + " / " + conv, linear, conv, {"", field()}, std::nullopt};
  }

  FieldColumn column_of(const std::string& path) {
    auto weights = read_weights(path, {a_.ema, Checksums::while_loading});
    const auto config = evaluation_config(given_, weights, path);
    if (path == a_.weights[0]) base_ = config;
    auto out = column(config);
    load_weights(*network_, std::move(weights), path);
    out.after = FieldMap{path, field()};
    if (!a_.figure3) out.title = title_of(path);
    return out;
  }

  std::vector<FieldColumn> by_predictor(std::vector<FieldColumn> trained) {
    std::vector<FieldColumn> out;
    for (const auto& [linear, conv] : figure3_columns()) {
      const auto found = std::find_if(trained.begin(), trained.end(),
                                      [&, linear = linear, conv = conv](const auto& each) {
                                        return each.linear == linear && each.conv == conv;
                                      });
      base_.model.linear_predictor = linear;
      base_.model.conv_predictor = conv;
      out.push_back(found == trained.end() ? column(base_) : std::move(*found));
      if (found != trained.end()) trained.erase(found);
    }
    WF_CHECK(trained.empty(), trained[0].after->file,
             ": --figure3 has no column, or one file more, "
             "for the predictors ",
             trained[0].title);
    return out;
  }

  at::Tensor field() { return effective_field(*network_, images_, a_.batch); }

  const ErfArguments& a_;
  Config given_, base_;
  at::Tensor images_;
  std::shared_ptr<WeightFormerImpl> network_;
};

}  // namespace

FieldSheet compute_fields(const ErfArguments& arguments) { return Fields(arguments).compute(); }

}  // namespace wf
