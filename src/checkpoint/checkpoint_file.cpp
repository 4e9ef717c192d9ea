#include "checkpoint/checkpoint_file.h"

#include "weightformer/core/check.h"

#include "checkpoint/optimizer_layout.h"
#include "checkpoint/yaml_tree.h"
#include "runtime/log.h"

#include <torch/torch.h>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

std::shared_ptr<MappedFile> open_torch_file(const std::string& path) {
  auto file = open_tensors(path);
  WF_CHECK(is_torch(*file), path,
           ": safetensors hold weights but no training state; --pretrained takes the weights "
           "alone");
  return file;
}

int64_t integer_or(const Value* value, int64_t otherwise) {
  return value && value->is(Kind::integer) ? value->integer : otherwise;
}

double number_or(const Value* value, double otherwise) {
  if (value && value->is(Kind::real)) return value->real;
  return value && value->is(Kind::integer) ? static_cast<double>(value->integer) : otherwise;
}

// One field of Progress from the dict that write_progress makes. Counters must be there; files from
// before a field existed lack the others.
class ReadField {
 public:
  ReadField(const std::string& path, const Value& dict) : path_(path), dict_(dict) {}

  void operator()(int64_t& field, const char* name) const {
    const auto* value = dict_.find(name);
    WF_CHECK(value && value->is(Kind::integer) && value->integer >= 0, path_,
             ": damaged checkpoint: progress: no whole number ", name);
    field = value->integer;
  }
  void operator()(double& field, const char* name) const { field = number_or(dict_.find(name), 0); }
  void operator()(bool& field, const char* name) const {
    const auto* value = dict_.find(name);
    field = value && value->is(Kind::boolean) && value->integer != 0;
  }

 private:
  const std::string& path_;
  const Value& dict_;
};

Progress own_progress(const std::string& path, const Value& own) {
  const auto* dict = own.find("progress");
  WF_CHECK(dict && dict->is(Kind::dict), path, ": damaged checkpoint: no progress in it");
  Progress p;
  visit_progress(p, ReadField(path, *dict));
  WF_CHECK(p.batch <= p.batches, path, ": damaged checkpoint: progress: batch ", p.batch, " of ",
           p.batches);
  return p;
}

// The published trainer saves `epoch` as the number of finished epochs and resumes with that index.
Progress published_progress(const std::string& path, const Value& root) {
  Progress p;
  p.epoch = integer_or(root.find("epoch"), -1);
  WF_CHECK(p.epoch >= 0, path,
           ": no count of finished epochs under epoch, so where to resume is not known; "
           "--pretrained takes the weights alone");
  p.max_accuracy = number_or(root.find("max_accuracy"), 0);
  return p;
}

std::vector<std::string> texts(const Value* list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto* item : list->items) out.push_back(item->text);
  return out;
}

// With a directory renamed or a map in another order, labels would change their meaning unnoticed.
void check_classes(const std::string& path, const std::vector<std::string>& saved,
                   const std::vector<std::string>& now) {
  if (saved.size() != now.size()) return;  // none are saved, or the shape of the head tells
  for (size_t i = 0; i < now.size(); ++i) {
    WF_CHECK(saved[i] == now[i], path, ": class ", i, " was '", saved[i], "' and is now '", now[i],
             "' in the training data; go on with the same classes, or start from the weights with "
             "--pretrained and another --tag");
  }
}

}  // namespace

CheckpointFile::CheckpointFile(const std::string& path) : file_(open_torch_file(path)) {
  const auto& root = file_.root();
  const auto *model = root.find("model"), *optimizer = root.find("optimizer");
  WF_CHECK(model && optimizer && optimizer->is(Kind::dict), path,
           ": holds weights but no training state; --pretrained takes the weights alone");
  const auto* own = root.find("weightformer");
  if (own && own->is(Kind::dict)) {
    own_ = own;
    format_ = integer_or(own->find("format"), 0);
    if (format_ <= kCheckpointFormat) progress_ = own_progress(path, *own);
  } else {
    progress_ = published_progress(path, root);
  }
}

void CheckpointFile::require_known_format() const {
  WF_CHECK(format_ <= kCheckpointFormat, path(), ": a checkpoint of format ", format_,
           ", and this version reads up to ", kCheckpointFormat,
           ": resume with the version that wrote it, or give the run another --tag");
}

int64_t CheckpointFile::serial() const { return own_ ? integer_or(own_->find("serial"), 0) : 0; }

Progress CheckpointFile::progress(int64_t steps_per_epoch) const {
  require_known_format();
  auto progress = progress_;
  if (published()) progress.step = progress.epoch * steps_per_epoch;
  return progress;
}

Config CheckpointFile::config(const Config& fallback) const {
  const auto* config = file_.root().find("config");
  return config ? config_in(*config, fallback) : fallback;
}

void CheckpointFile::verify() {
  if (!verified_) file_.verify();
  verified_ = true;
}

void CheckpointFile::load_into(TrainState& state, int64_t steps_per_epoch,
                               const LoadOptions& options) {
  const auto stood = progress(steps_per_epoch);
  verify();
  auto names = texts(own_ ? own_->find("optimizer_names") : nullptr);
  if (names.empty()) names = published_order(*file_.root().find("model"));
  auto weights = read_weights(file_);
  check_classes(path(), weights.classes, state.classes);
  load_weights(*state.model, std::move(weights), path(), options);
  state.optimizer->load_state(
      read_optimizer(file_, *file_.root().find("optimizer"), names, *state.optimizer), path());
  read_extras(state);
  state.progress = stood;
}

// EMA weights and the gradient scaler, in runs that have them.
void CheckpointFile::read_extras(TrainState& state) {
  const auto *averages = file_.root().find("model_ema"), *scaler = file_.root().find("scaler");
  if (state.ema && averages) {
    state.ema->load_state(file_.tensors(*averages), path());
  } else if (state.ema) {
    log::warning("{}: no EMA weights in it; the average starts from its weights", path());
    state.ema->reset();
  } else if (averages) {
    log::warning("{}: holds EMA weights, and TRAIN.EMA_DECAY is 0: the average ends here", path());
  }
  if (!state.scaler || !scaler) return;
  const auto *scale = scaler->find("scale"), *tracker = scaler->find("_growth_tracker");
  if (!scale || !tracker) return;  // of a scaler that was switched off
  state.scaler->load_state({{"scale", torch::full({1}, scale->real)},
                            {"growth_tracker", torch::full({1}, tracker->integer, torch::kInt)}},
                           path());
}

}  // namespace wf
