#include "checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_file.h"
#include "checkpoint/git_version.h"
#include "checkpoint/optimizer_layout.h"
#include "checkpoint/yaml_tree.h"
#include "config/describe.h"

#include <torch/nn/module.h>

namespace wf {
namespace {

using pickle::Document;
using pickle::Kind;
using pickle::Value;

Value* write_scaler(Document& d, const TensorMap& state) {
  auto* out = d.make(Kind::dict);  // torch.amp.GradScaler's state_dict
  d.put(out, "scale", d.of(state.at("scale").item<double>()));
  const GradScalerOptions options;
  d.put(out, "growth_factor", d.of(options.growth_factor));
  d.put(out, "backoff_factor", d.of(options.backoff_factor));
  d.put(out, "growth_interval", d.of(options.growth_interval));
  d.put(out, "_growth_tracker", d.of(state.at("growth_tracker").item<int64_t>()));
  return out;
}

std::vector<std::string> names_in_order(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& item : module.named_parameters()) names.push_back(item.key());
  for (const auto& item : module.named_buffers()) names.push_back(item.key());
  return names;
}

// EMA weights, tensors of the task and the gradient scaler, in runs that have them.
void write_extras(TensorTree& tree, Value* root, const TrainState& state) {
  for (size_t i = 0; i < state.emas.size(); ++i) {
    const auto weights = state.emas[i]->state();
    std::vector<std::string> names;
    for (const auto& name : names_in_order(*state.model)) {
      if (weights.count(name)) names.push_back(name);
    }
    tree.document.put(root, ema_key(i), tree.of(names, weights));
  }
  if (!state.task_state.empty()) {
    std::vector<std::string> names;
    for (const auto& item : state.task_state) names.push_back(item.first);
    tree.document.put(root, kTaskKey, tree.of(names, state.task_state));
  }
  if (state.scaler) {
    tree.document.put(root, "scaler", write_scaler(tree.document, state.scaler->state()));
  }
}

// The attributes of timm's scheduler, which its load_state_dict takes.
Value* write_schedule(Document& d, const LrScheduleOptions& s, size_t groups) {
  auto* out = d.make(Kind::dict);
  const auto per_group = [&](const char* key, double value) {
    auto* list = d.put(out, key, d.make(Kind::list));
    for (size_t i = 0; i < groups; ++i) list->items.push_back(d.of(value));
  };
  d.put(out, "param_group_field", d.of("lr"));
  d.put(out, "_initial_param_group_field", d.of("initial_lr"));
  per_group("base_values", s.base_lr);
  for (const char* key : {"metric", "noise_range_t"}) d.put(out, key, d.none());
  d.put(out, "noise_pct", d.of(0.67));
  d.put(out, "noise_type", d.of("normal"));
  d.put(out, "noise_std", d.of(1.0));
  d.put(out, "noise_seed", d.of(int64_t{42}));
  switch (s.kind) {
    case LrScheduleKind::cosine:
      d.put(out, "t_initial", d.of(s.total_steps));
      d.put(out, "t_mul", d.of(1.0));
      d.put(out, "lr_min", d.of(s.min_lr));
      d.put(out, "decay_rate", d.of(1.0));
      d.put(out, "cycle_limit", d.of(int64_t{1}));
      d.put(out, "warmup_prefix", d.of(false));
      break;
    case LrScheduleKind::linear:
      d.put(out, "t_initial", d.of(s.total_steps));
      d.put(out, "lr_min_rate", d.of(0.01));
      break;
    case LrScheduleKind::step:
      d.put(out, "decay_t", d.of(s.decay_steps));
      d.put(out, "decay_rate", d.of(s.decay_rate));
      break;
    case LrScheduleKind::constant:  // timm has no such scheduler: only the warm-up is described
      break;
  }
  d.put(out, "warmup_t", d.of(s.warmup_steps));
  d.put(out, "warmup_lr_init", d.of(s.warmup_lr));
  d.put(out, "t_in_epochs", d.of(false));
  per_group("warmup_steps",
            s.warmup_steps ? (s.base_lr - s.warmup_lr) / static_cast<double>(s.warmup_steps) : 1);
  return out;
}

Value* write_progress(Document& d, const Progress& p) {
  auto* out = d.make(Kind::dict);
  visit_progress(p, [&](const auto& field, const char* name) { d.put(out, name, d.of(field)); });
  return out;
}

// State without a place in PyTorch's layout. Random draws and the order of the images are functions
// of the seed and the counters, so no generator is saved. Only `wf_convert --list` reads git and
// world_size.
Value* write_own(Document& d, const TrainState& state, const SaveInfo& info) {
  auto* out = d.make(Kind::dict);
  d.put(out, "format", d.of(kCheckpointFormat));
  d.put(out, "serial", d.of(info.serial));
  d.put(out, "git", d.of(git_version()));
  d.put(out, "world_size", d.of(int64_t{info.world}));
  d.put(out, "best", d.of(info.best));
  d.put(out, "progress", write_progress(d, state.progress));
  // One list per entry; "metadata" lists their names.
  auto* facts = d.put(out, "metadata", d.make(Kind::list));
  for (const auto& [name, words] : state.metadata) {
    facts->items.push_back(d.of(name));
    auto* list = d.put(out, name, d.make(Kind::list));
    for (const auto& word : words) list->items.push_back(d.of(word));
  }
  auto* names = d.put(out, "optimizer_names", d.make(Kind::list));
  for (const auto& group : state.optimizer->groups()) {
    for (const auto& name : group.names) names->items.push_back(d.of(name));
  }
  return out;
}

const Value* write_tree(TensorTree& tree, const TrainState& state, const SaveInfo& info) {
  auto& d = tree.document;
  auto* root = d.make(Kind::dict);
  d.put(root, "model", tree.of(names_in_order(*state.model), state_dict(*state.model)));
  d.put(root, "optimizer",
        write_optimizer(tree, *state.optimizer, state.schedule, state.progress.step));
  d.put(root, "lr_scheduler", write_schedule(d, state.schedule, state.optimizer->groups().size()));
  // The original's key, whatever the metric is.
  d.put(root, "max_accuracy", d.of(state.progress.has_best() ? state.progress.best_metric : 0.0));
  // The original trainer resumes with the epoch of this index.
  d.put(root, "epoch", d.of(state.progress.finished_epochs()));
  d.put(root, "config", yaml_tree(d, dump_yaml(state.config)));
  write_extras(tree, root, state);
  d.put(root, "weightformer", write_own(d, state, info));
  return root;
}

}  // namespace

Snapshot::Snapshot(const TrainState& state, const SaveInfo& info)
    : root_(write_tree(tree_, state, info)) {
  tree_.copy_tensors();
}

void save_checkpoint(const std::string& path, const TrainState& state, const SaveInfo& info) {
  TensorTree tree;
  tree.write(path, *write_tree(tree, state, info));
}

}  // namespace wf
