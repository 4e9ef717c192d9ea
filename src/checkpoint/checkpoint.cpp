#include "checkpoint/checkpoint.h"

#include "weightformer/core/check.h"

#include "checkpoint/git_version.h"
#include "checkpoint/optimizer_layout.h"
#include "checkpoint/yaml_tree.h"
#include "runtime/log.h"

#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

namespace wf {
namespace {

namespace fs = std::filesystem;
using pickle::Document;
using pickle::Kind;
using pickle::Value;

constexpr int64_t kFormat = 2;

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

// Averaged weights and the gradient scaler, in runs that have them.
void write_extras(TensorTree& tree, Value* root, const TrainState& state) {
  if (state.ema) {
    const auto averages = state.ema->state();
    std::vector<std::string> names;
    for (const auto& name : names_in_order(*state.model)) {
      if (averages.count(name)) names.push_back(name);
    }
    tree.document.put(root, "model_ema", tree.of(names, averages));
  }
  if (state.scaler) {
    tree.document.put(root, "scaler", write_scaler(tree.document, state.scaler->state()));
  }
}

void read_extras(TensorFile& file, TrainState& state) {
  const auto *averages = file.root().find("model_ema"), *scaler = file.root().find("scaler");
  if (state.ema && averages) {
    state.ema->load_state(file.tensors(*averages), file.path());
  } else if (state.ema) {
    log::warning("{}: no averaged weights in it; the average starts from its weights", file.path());
    state.ema->reset();
  } else if (averages) {
    log::warning("{}: holds averaged weights, and TRAIN.EMA_DECAY is 0: the average ends here",
                 file.path());
  }
  if (!state.scaler || !scaler) return;
  const auto *scale = scaler->find("scale"), *tracker = scaler->find("_growth_tracker");
  if (!scale || !tracker) return;  // of a scaler that was switched off
  state.scaler->load_state({{"scale", torch::full({1}, scale->real)},
                            {"growth_tracker", torch::full({1}, tracker->integer, torch::kInt)}},
                           file.path());
}

double number(const Value* value, double otherwise) {
  if (!value) return otherwise;
  return value->is(Kind::real)      ? value->real
         : value->is(Kind::integer) ? static_cast<double>(value->integer)
                                    : otherwise;
}

OptimizerFacts facts_of(const TrainState& state, const Value& config) {
  OptimizerFacts facts;
  facts.lr = learning_rate(state.schedule, state.progress.step - 1);
  facts.initial_lr = state.schedule.base_lr;
  const auto* train = config.find("TRAIN");
  const auto* given = train ? train->find("OPTIMIZER") : nullptr;
  if (!given) return facts;
  auto& options = facts.options;
  options.eps = number(given->find("EPS"), options.eps);
  options.momentum = number(given->find("MOMENTUM"), options.momentum);
  const auto* betas = given->find("BETAS");
  if (betas && betas->items.size() == 2) {
    options.beta1 = number(betas->items[0], options.beta1);
    options.beta2 = number(betas->items[1], options.beta2);
  }
  return facts;
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
  if (s.name == "step") {
    d.put(out, "decay_t", d.of(s.decay_steps));
    d.put(out, "decay_rate", d.of(s.decay_rate));
  } else {
    d.put(out, "t_initial", d.of(s.total_steps));
    if (s.name == "linear") d.put(out, "lr_min_rate", d.of(0.01));
  }
  if (s.name == "cosine") {
    d.put(out, "t_mul", d.of(1.0));
    d.put(out, "lr_min", d.of(s.min_lr));
    d.put(out, "decay_rate", d.of(1.0));
    d.put(out, "cycle_limit", d.of(int64_t{1}));
    d.put(out, "warmup_prefix", d.of(false));
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

// What PyTorch has no place for. Random draws are functions of the seed and the counters, and so is
// the order of the pictures: these are the whole state of both.
Value* write_own(Document& d, const TrainState& state, const SaveInfo& info, const Value& config) {
  auto* out = d.make(Kind::dict);
  d.put(out, "format", d.of(kFormat));
  d.put(out, "serial", d.of(info.serial));
  d.put(out, "git", d.of(git_version()));
  d.put(out, "world_size", d.of(int64_t{info.world}));
  d.put(out, "progress", write_progress(d, state.progress));
  auto* rng = d.put(out, "rng", d.make(Kind::dict));
  const auto* seed = config.find("SEED");
  d.put(rng, "seed", d.of(static_cast<int64_t>(number(seed, 0))));
  d.put(rng, "step", d.of(state.progress.step));
  auto* sampler = d.put(out, "sampler", d.make(Kind::dict));
  d.put(sampler, "epoch", d.of(state.progress.epoch));
  d.put(sampler, "batch", d.of(state.progress.batch));
  auto* classes = d.put(out, "classes", d.make(Kind::list));
  for (const auto& name : state.classes) classes->items.push_back(d.of(name));
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
  auto* config = yaml_tree(d, state.config);
  d.put(root, "optimizer", write_optimizer(tree, *state.optimizer, facts_of(state, *config)));
  d.put(root, "lr_scheduler", write_schedule(d, state.schedule, state.optimizer->groups().size()));
  d.put(root, "max_accuracy", d.of(state.progress.max_accuracy));
  // The published trainer goes on with the epoch after this one.
  d.put(root, "epoch", d.of(state.progress.finished_epochs() - 1));
  d.put(root, "config", config);
  write_extras(tree, root, state);
  d.put(root, "weightformer", write_own(d, state, info, *config));
  return root;
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
  void operator()(double& field, const char* name) const { field = number(dict_.find(name), 0); }
  void operator()(bool& field, const char* name) const {
    const auto* value = dict_.find(name);
    field = value && value->is(Kind::boolean) && value->integer != 0;
  }

 private:
  const std::string& path_;
  const Value& dict_;
};

Progress read_progress(const std::string& path, const Value& dict) {
  Progress p;
  visit_progress(p, ReadField(path, dict));
  WF_CHECK(p.batch <= p.batches, path, ": damaged checkpoint: progress: batch ", p.batch, " of ",
           p.batches);
  return p;
}

// Of the published trainer: `epoch` is the one that was finished last.
Progress published_progress(const TensorFile& file, int64_t steps_per_epoch) {
  const auto* epoch = file.root().find("epoch");
  WF_CHECK(
      epoch && epoch->is(Kind::integer) && epoch->integer >= -1, file.path(),
      ": no number under epoch, so where to go on is not known; --pretrained takes the weights "
      "alone");
  Progress p;
  p.epoch = epoch->integer + 1;
  p.step = p.epoch * steps_per_epoch;
  p.max_accuracy = number(file.root().find("max_accuracy"), 0);
  return p;
}

const Value* own_part(const TensorFile& file) {
  const auto* own = file.root().find("weightformer");
  return own && own->is(Kind::dict) ? own : nullptr;
}

// Where the run of a checkpoint stood, of this program or of the published trainer.
Progress progress_of(const TensorFile& file, int64_t steps_per_epoch) {
  const auto* own = own_part(file);
  const auto* progress = own ? own->find("progress") : nullptr;
  return progress ? read_progress(file.path(), *progress)
                  : published_progress(file, steps_per_epoch);
}

std::vector<std::string> texts(const Value* list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (const auto* item : list->items) out.push_back(item->text);
  return out;
}

// The checkpoints of a run, whole or not.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto& path = entry.path();
    if (path.filename().string().rfind("ckpt_", 0) == 0 && path.extension() == ".pth") {
      paths.push_back(path.string());
    }
  }
  return paths;
}

// Those of `paths` that can be read, the last saved last; why the others cannot, in `problems`.
std::vector<SavedCheckpoint> readable(const std::vector<std::string>& paths,
                                      std::vector<std::string>& problems) {
  std::vector<SavedCheckpoint> found;
  for (const auto& path : paths) {
    try {
      const TensorFile file(path);
      const auto* own = own_part(file);
      const auto* serial = own ? own->find("serial") : nullptr;
      const auto step = progress_of(file, /*steps_per_epoch=*/1).step;
      found.push_back({serial ? serial->integer : 0, step, path});
    } catch (const Error& problem) {
      problems.push_back(problem.what());
    }
  }
  // Not by step: a run that went back to an older checkpoint must not be overtaken by what it left
  // behind. And not by a clock, which may be wrong on the next machine.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::tie(a.serial, a.step, a.path) < std::tie(b.serial, b.step, b.path);
  });
  return found;
}

// With a folder renamed or a map in another order, labels would change their meaning unnoticed.
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

Snapshot::Snapshot(const TrainState& state, const SaveInfo& info)
    : root_(write_tree(tree_, state, info)) {
  tree_.copy_tensors();
}

void save_checkpoint(const std::string& path, const TrainState& state, const SaveInfo& info) {
  TensorTree tree;
  tree.write(path, *write_tree(tree, state, info));
}

void load_checkpoint(const std::string& path, TrainState& state, int64_t steps_per_epoch,
                     const LoadOptions& options) {
  const auto map = open_tensors(path);
  const char* no_state =
      ": holds weights but no training state; --pretrained takes the weights alone";
  if (!is_torch(*map)) {
    const bool whole = read_safetensors(map).metadata.count(kTreeKey) > 0;
    throw Error(path + (whole
                            ? ": a checkpoint in another format; wf_convert makes it a .pth again, "
                              "to go on from"
                            : no_state));
  }
  TensorFile file(map);
  file.verify();
  const auto *model = file.root().find("model"), *optimizer = file.root().find("optimizer");
  WF_CHECK(model && optimizer && optimizer->is(Kind::dict), path, no_state);
  const auto stands = progress_of(file, steps_per_epoch);
  const auto* own = own_part(file);
  auto names = texts(own ? own->find("optimizer_names") : nullptr);
  if (names.empty()) names = published_order(*model);
  auto weights = read_weights(file);
  check_classes(path, weights.classes, state.classes);
  load_weights(*state.model, std::move(weights), path, options);
  state.optimizer->load_state(read_optimizer(file, *optimizer, names, *state.optimizer), path);
  read_extras(file, state);
  state.progress = stands;
}

Config saved_settings(const std::string& path, const Config& otherwise) {
  const TensorFile file(path);
  const auto* config = file.root().find("config");
  return config ? config_in(*config, otherwise) : otherwise;
}

std::vector<SavedCheckpoint> checkpoints_in(const std::string& folder) {
  std::vector<std::string> unsaid;  // newest_checkpoint() names them
  return readable(names_in(folder), unsaid);
}

std::optional<std::string> newest_checkpoint(const std::string& folder) {
  const auto names = names_in(folder);  // once: a run may be writing here
  std::vector<std::string> paths, problems;
  for (const auto& saved : readable(names, problems)) paths.push_back(saved.path);
  std::reverse(paths.begin(), paths.end());
  const auto best = folder + "/" + kBestCheckpoint;
  if (fs::exists(best)) paths.push_back(best);
  const auto skip = [](const std::string& why) { log::warning("skipping a checkpoint: {}", why); };
  for (const auto& problem : problems) skip(problem);
  for (const auto& path : paths) {
    try {
      TensorFile(path).verify();
      return path;
    } catch (const Error& problem) {
      skip(problem.what());
    }
  }
  // A fresh start would overwrite, checkpoint by checkpoint, what may yet be mended or looked at.
  WF_CHECK(paths.empty() && names.empty(), folder,
           ": there are checkpoints here and none of them is whole; give the run another --tag, or "
           "move them away to start from the beginning");
  return std::nullopt;
}

}  // namespace wf
