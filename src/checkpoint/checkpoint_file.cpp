#include "checkpoint/checkpoint_file.h"

#include "weightformer/core/check.h"

#include "checkpoint/optimizer_layout.h"
#include "checkpoint/saved_config.h"
#include "runtime/log.h"
#include "serialization/flat_settings.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

std::shared_ptr<MappedFile> open_torch_file(const std::string& path) {
  auto file = open_tensors(path);
  WF_CHECK(is_torch(*file), path,
           ": safetensors hold weights but no training state; --pretrained loads only the "
           "weights");
  return file;
}

int64_t integer_or(const Value* value, int64_t fallback) {
  return value && value->is(Kind::integer) ? value->integer : fallback;
}

double number_or(const Value* value, double fallback) {
  if (value && value->is(Kind::real)) return value->real;
  return value && value->is(Kind::integer) ? static_cast<double>(value->integer) : fallback;
}

// Fields introduced with format 3. Older files keep the defaults of Progress.
bool is_new_in_format_3(const std::string& name) {
  return name == "validated_step" || name == "window_sum" || name == "window_count" ||
         name == "best_metric" || name == "best_weights";
}

// Far beyond any run; products of two such counts fit in 64 bits.
constexpr int64_t kMost = 1'000'000'000;

// One field of Progress from the dict that write_progress makes.
class ReadField {
 public:
  ReadField(const std::string& path, const Value& dict, int64_t format)
      : path_(path), dict_(dict), format_(format) {}

  void operator()(int64_t& field, const char* name) const {
    if (format_ < 3 && is_new_in_format_3(name)) return;
    const auto* value = dict_.find(name);
    WF_CHECK(value && value->is(Kind::integer) && value->integer >= 0 && value->integer <= kMost,
             path_, ": damaged checkpoint: progress: expected a count from 0 to ", kMost, " as ",
             name);
    field = value->integer;
  }
  void operator()(double& field, const char* name) const {
    if (format_ < 3 && is_new_in_format_3(name)) return;
    field = number_or(dict_.find(name), 0);
    const bool none = std::isnan(field) && name == std::string_view("best_metric");
    WF_CHECK(std::isfinite(field) || none, path_, ": damaged checkpoint: progress: ", name,
             " is not finite");
  }

 private:
  const std::string& path_;
  const Value& dict_;
  int64_t format_;
};

Progress own_progress(const std::string& path, const Value& own, int64_t format) {
  const auto* dict = own.find("progress");
  WF_CHECK(dict && dict->is(Kind::dict), path, ": damaged checkpoint: no progress in it");
  Progress p;
  visit_progress(p, ReadField(path, *dict, format));
  if (format < 3) {  // a classifier with one EMA at most, whose best top-1 began at 0
    p.best_metric = number_or(dict->find("max_accuracy"), 0);
    const auto* of_ema = dict->find("best_averaged");
    p.best_weights = of_ema && of_ema->is(Kind::boolean) && of_ema->integer != 0 ? 1 : 0;
  }
  WF_CHECK(p.batch <= p.batches, path, ": damaged checkpoint: progress: batch ", p.batch, " of ",
           p.batches);
  return p;
}

// The original trainer saves `epoch` as the number of finished epochs and resumes with that index.
Progress published_progress(const std::string& path, const Value& root) {
  Progress p;
  p.epoch = integer_or(root.find("epoch"), -1);
  WF_CHECK(p.epoch <= kMost, path, ": damaged checkpoint: epoch is ", p.epoch);
  WF_CHECK(p.epoch >= 0, path,
           ": no count of finished epochs under epoch, so the position is unknown; "
           "--pretrained loads only the weights");
  p.best_metric = number_or(root.find("max_accuracy"), Progress::kNone);
  return p;
}

// DiT's train.py saves no position; its optimizer counts the steps. REPA adds "steps".
Progress dit_progress(TensorFile& file, const Value& optimizer) {
  const auto& path = file.path();
  Progress p;
  p.step = std::max(integer_or(file.root().find("steps"), 0), counted_steps(file, optimizer));
  WF_CHECK(p.step <= kMost, path, ": damaged checkpoint: ", p.step, " steps");
  WF_CHECK(p.step > 0, path,
           ": its optimizer has counted no step, so the position is unknown; --pretrained loads "
           "only the weights");
  return p;
}

std::vector<std::string> texts(const Value* list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto* item : list->items) out.push_back(item->text);
  return out;
}

}  // namespace

std::string ema_key(size_t index) {
  return index == 0 ? "model_ema" : "model_ema_" + std::to_string(index + 1);
}

CheckpointFile::CheckpointFile(const std::string& path) : file_(open_torch_file(path)) {
  const auto& root = file_.root();
  const auto* model = root.find("model");
  optimizer_ = root.find("optimizer");
  dit_ = !optimizer_;
  if (dit_) optimizer_ = root.find("opt");
  WF_CHECK(model && optimizer_ && optimizer_->is(Kind::dict), path,
           ": holds weights but no training state; --pretrained loads only the weights");
  const auto* own = root.find("weightformer");
  if (own && own->is(Kind::dict)) {
    own_ = own;
    format_ = integer_or(own->find("format"), 0);
    if (format_ <= kCheckpointFormat) progress_ = own_progress(path, *own, format_);
  } else {
    progress_ = dit_ ? dit_progress(file_, *optimizer_) : published_progress(path, root);
  }
}

void CheckpointFile::require_known_format() const {
  WF_CHECK(format_ <= kCheckpointFormat, path(), ": a checkpoint of format ", format_,
           ", and this version reads up to ", kCheckpointFormat,
           ": resume with the version that wrote it, or give the run another --tag");
}

int64_t CheckpointFile::serial() const { return own_ ? integer_or(own_->find("serial"), 0) : 0; }

double CheckpointFile::own_best() const {
  const auto* best = own_ ? own_->find("best") : nullptr;
  return best && best->is(Kind::boolean) && best->integer != 0 ? progress_.best_metric
                                                               : Progress::kNone;
}

Progress CheckpointFile::progress(int64_t steps_per_epoch) const {
  require_known_format();
  auto progress = progress_;
  if (dit_ && steps_per_epoch > 0) {
    progress.epoch = progress.step / steps_per_epoch;
    progress.batch = progress.step % steps_per_epoch;
    progress.batches = steps_per_epoch;
  } else if (published() && !dit_) {
    progress.step = progress.epoch * steps_per_epoch;
  }
  return progress;
}

Metadata CheckpointFile::metadata() const {
  if (!own_) return {};
  auto names = texts(own_->find("metadata"));
  if (format_ < 3) names = {"classes"};
  Metadata out;
  for (const auto& name : names) out[name] = texts(own_->find(name));
  return out;
}

Config CheckpointFile::config(const Config& fallback) const {
  const auto* config = file_.root().find("config");
  return config ? config_in(flat_settings(*config), fallback) : fallback;
}

void CheckpointFile::verify() {
  if (!verified_) file_.verify();
  verified_ = true;
}

void CheckpointFile::load_into(TrainState& state, int64_t steps_per_epoch,
                               const LoadOptions& options) {
  auto stood = progress(steps_per_epoch);
  if (dit_) {  // in batches instead of steps
    stood.batch *= state.config.train.accumulation_steps;
    stood.batches *= state.config.train.accumulation_steps;
  }
  verify();
  auto names = texts(own_ ? own_->find("optimizer_names") : nullptr);
  const auto& model = *file_.root().find("model");
  if (names.empty()) names = dit_ ? state_dict_order(model) : published_order(model);
  auto weights = read_weights(file_);
  load_weights(*state.model, std::move(weights), path(), options);
  state.optimizer->load_state(read_optimizer(file_, *optimizer_, names, *state.optimizer), path());
  read_extras(state);
  state.progress = stood;
}

// EMA weights, tensors of the task and the gradient scaler, in runs that have them.
void CheckpointFile::read_extras(TrainState& state) {
  const auto& root = file_.root();
  for (size_t i = 0; i < state.emas.size(); ++i) {
    const auto* weights = root.find(ema_key(i));
    if (dit_ && i == 0) weights = root.find("ema");
    if (weights) {
      state.emas[i]->load_state(file_.tensors(*weights), path());
    } else {
      log::warning("{}: no EMA weights under {}; that EMA starts from the trained weights", path(),
                   ema_key(i));
      state.emas[i]->reset();
    }
  }
  if (root.find(ema_key(state.emas.size()))) {
    log::warning("{}: has more EMAs than the {} of TRAIN.EMA_DECAY; the others are dropped", path(),
                 state.emas.size());
  }
  read_task_state(state);
  const auto* scaler = root.find("scaler");
  if (!state.scaler || !scaler) return;
  const auto *scale = scaler->find("scale"), *tracker = scaler->find("_growth_tracker");
  if (!scale || !tracker) return;  // state of a disabled scaler
  state.scaler->load_state({{"scale", torch::full({1}, scale->real)},
                            {"growth_tracker", torch::full({1}, tracker->integer, torch::kInt)}},
                           path());
}

// Without them the results would differ from those of an uninterrupted run.
void CheckpointFile::read_task_state(TrainState& state) {
  if (state.task_state.empty()) return;
  if (published()) return;  // the statistics of the task start empty
  const auto* saved = file_.root().find(kTaskKey);
  const auto tensors = saved ? file_.tensors(*saved) : TensorMap{};
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : state.task_state) {
    const auto found = tensors.find(name);
    WF_CHECK(found != tensors.end() && found->second.sizes() == tensor.sizes(), path(),
             ": a run with these settings keeps '", name, "' ", tensor.sizes(),
             " in its checkpoints, and it is not in this one: resume with the settings it was made "
             "with, or load only the weights with --pretrained");
    tensor.copy_(found->second);
  }
}

}  // namespace wf
