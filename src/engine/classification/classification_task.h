#pragma once

#include "weightformer/data/loader.h"
#include "weightformer/engine/task.h"

#include "data/augment/mixup.h"
#include "engine/classification/evaluator.h"
#include "engine/classification/loss.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct ClassificationOptions {
  LossOptions loss;
  std::optional<MixupOptions> mixup;
  c10::Device device = c10::kCPU;
  std::vector<std::string> classes;                    ///< names, in the order of the outputs
  std::vector<std::vector<int64_t>> real_labels = {};  ///< see EvaluateOptions; empty: none
};

/// Image classification as in the original trainer: cross-entropy on images mixed by mixup
/// and CutMix, validated by top-1 and top-5 accuracy.
class ClassificationTask : public Task {
 public:
  static const MetricSpec kLoss, kTop1, kTop5, kImages, kUnreadable, kRealTop1, kRealImages;

  ClassificationTask(std::shared_ptr<Classifier> model, std::unique_ptr<Loader> validation,
                     ClassificationOptions options);

  std::optional<std::vector<at::Tensor>> prepare(const Batch& batch, const StepRng& rng) override;
  std::vector<at::Tensor> losses(const std::vector<at::Tensor>& inputs) override;
  std::optional<Metrics> validate(const ValidationContext& context) override;
  const MetricSpec& selection_metric() const override { return kTop1; }
  at::Tensor displayed(const Batch& batch, const StepRng& rng) const override;
  std::shared_ptr<const ValidationDetails> validation_details() const override;
  Metadata metadata() const override { return {{"classes", options_.classes}}; }
  void check_metadata(const Metadata& saved, const std::string& source) const override;
  /// Writes classes.csv and confusion.csv, see evaluation_report.h.
  Metrics evaluate(const ValidationContext& context, const std::string& directory) override;

 private:
  Evaluation run(const ValidationContext& context, bool final);

  std::shared_ptr<Classifier> classifier_;
  std::unique_ptr<Loader> validation_;
  ClassificationOptions options_;
  std::optional<Mixup> mixup_;
  Evaluation last_;  // of validate()
};

}  // namespace wf
