#include "checkpoint/pretrained.h"

#include "core/registry.h"
#include "runtime/log.h"

#include <utility>

namespace wf {
namespace {

void log_not_loaded(const std::string& file, const LoadReport& report) {
  if (!report.missing.empty()) {
    log::warning("{}: not in the file, keeping the initial values: {}", file,
                 join(report.missing, ", "));
  }
  if (!report.unexpected.empty()) {
    log::warning("{}: not in the model, ignored: {}", file, join(report.unexpected, ", "));
  }
  if (!report.reinitialized.empty()) {
    log::info("{}: made for another number of classes, newly initialized: {}", file,
              join(report.reinitialized, ", "));
  }
}

// Weights of predictors with the same shapes load, and then compute something else.
void warn_of_other_predictors(const Config& config, const Settings& saved,
                              const std::string& file) {
  const auto compare = [&](const char* key, const std::string& now) {
    const auto found = saved.find(key);
    if (found == saved.end() || found->second == now) return;
    log::warning("{}: trained with {} {}, and this run has {}", file, key, found->second, now);
  };
  compare("MODEL.LINEAR_PREDICTOR", config.model.linear_predictor);
  compare("MODEL.CONV_PREDICTOR", config.model.conv_predictor);
}

}  // namespace

PretrainedWeights::PretrainedWeights(const Config& config, std::string file, LoadPurpose purpose)
    : file_(std::move(file)) {
  WeightsOptions wanted;
  wanted.checksums = Checksums::while_loading;
  wanted.ema = purpose == LoadPurpose::evaluation && config.test.ema;
  weights_ = read_weights(file_, wanted);
  warn_of_other_predictors(config, weights_.settings, file_);
  if (weights_.has_ema) {
    log::info("{}: holds EMA weights too; loading {}", file_,
              wanted.ema ? "those" : "the trained ones (TEST.EMA true evaluates the EMA weights)");
  }
  options_.allow_missing = config.model.allow_missing;
  options_.allow_head_mismatch = purpose == LoadPurpose::training;
}

Metadata PretrainedWeights::metadata() const {
  if (weights_.classes.empty()) return {};
  return {{"classes", weights_.classes}};
}

void PretrainedWeights::load_into(Model& model) {
  options_.heads = model.head_names();
  log_not_loaded(file_, load_weights(model, std::move(weights_), file_, options_));
}

}  // namespace wf
