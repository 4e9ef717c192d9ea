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

}  // namespace

PretrainedWeights::PretrainedWeights(const Config& config, std::string file, LoadPurpose purpose)
    : file_(std::move(file)) {
  WeightsOptions wanted;
  wanted.checksums = Checksums::while_loading;
  wanted.ema = purpose == LoadPurpose::evaluation && config.test.ema;
  weights_ = read_weights(file_, wanted);
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
