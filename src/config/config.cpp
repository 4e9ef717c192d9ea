#include "weightformer/config/config.h"

#include "weightformer/core/check.h"

#include "config/keys.h"

#include <filesystem>

namespace wf {
namespace {

// "TRAIN.EPOCHS (cfg/a.yaml:7)"
std::string key_with_origin(const Config& config, const std::string& key) {
  const auto origin = config.origins.find(key);
  return key + (origin == config.origins.end() ? " (default)" : " (" + origin->second + ")");
}

}  // namespace

Config::Config() {
  visit(*this, [](auto& field, const auto& value, const Key&) { field = value; });
}

std::vector<std::string> key_names() {
  std::vector<std::string> keys;
  const Config config;
  visit(config, [&](const auto&, const auto&, const Key& key) { keys.emplace_back(key.name); });
  return keys;
}

std::set<std::string> key_names(const std::set<Scope>& scopes) {
  std::set<std::string> keys;
  const Config config;
  visit(config, [&](const auto&, const auto&, const Key& key) {
    if (scopes.count(key.scope)) keys.insert(key.name);
  });
  return keys;
}

std::string key_help(const std::string& name) {
  std::optional<std::string> help;
  const Config config;
  visit(config, [&](const auto&, const auto&, const Key& key) {
    if (name == key.name) help = key.help;
  });
  WF_CHECK(help, "no configuration key is named ", name);
  return *help;
}

bool operator==(const Config& a, const Config& b) {
  // Visits both in the same order: first the addresses of the fields of `a`, then those of `b`.
  std::vector<const void*> fields;
  visit(a, [&](const auto& field, const auto&, const Key&) { fields.push_back(&field); });
  bool equal = true;
  size_t at = 0;
  visit(b, [&](const auto& field, const auto&, const Key&) {
    using Field = std::decay_t<decltype(field)>;
    equal = equal && *static_cast<const Field*>(fields[at]) == field;
    ++at;
  });
  return equal;
}

std::string run_folder(const Config& config) {
  return config.output + "/" + config.model.name + "/" + config.tag;
}

void validate(const Config& config) {
  const auto at = [&](const char* key) { return key_with_origin(config, key); };
  const auto& train = config.train;
  const auto tag = std::filesystem::path(config.tag).lexically_normal();
  WF_CHECK(!tag.empty() && tag != "." && tag.is_relative() && *tag.begin() != ".." &&
               config.tag[0] != '-',
           at("TAG"), " is '", config.tag, "': expected a name for the run directory, inside ",
           at("OUTPUT"));
  WF_CHECK(!config.output.empty(), at("OUTPUT"), " is empty: expected the directory for runs");
  WF_CHECK(train.steps == 0 || train.cooldown_epochs == 0, at("TRAIN.COOLDOWN_EPOCHS"), " is ",
           train.cooldown_epochs, ", and ", at("TRAIN.STEPS"), " is ", train.steps,
           ": set it to 0");
  WF_CHECK(train.steps > 0 || train.warmup_steps > 0 || train.warmup_epochs < train.epochs,
           at("TRAIN.WARMUP_EPOCHS"), " is ", train.warmup_epochs, ", which leaves nothing of ",
           at("TRAIN.EPOCHS"), ", ", train.epochs, "; set TRAIN.WARMUP_EPOCHS lower");
  const bool has_min_lr = train.lr_scheduler.name == LrScheduleKind::cosine;
  WF_CHECK(!has_min_lr || train.min_lr <= train.base_lr, at("TRAIN.MIN_LR"), " is ", train.min_lr,
           ", above ", at("TRAIN.BASE_LR"), ", ", train.base_lr);
  WF_CHECK(train.start_epoch < train.total_epochs(), at("TRAIN.START_EPOCH"), " is ",
           train.start_epoch, ", and the epochs of the run are 0 to ", train.total_epochs() - 1,
           " (", at("TRAIN.EPOCHS"), ")");
  WF_CHECK(train.bce_threshold == 0 || train.loss == LossKind::binary, at("TRAIN.BCE_THRESHOLD"),
           " is ", train.bce_threshold, ", and ", at("TRAIN.LOSS"), " is ", name_of(train.loss),
           ": only bce uses it");
  WF_CHECK(train.ema_snapshot_steps == 0 || !train.ema_std.empty(), at("TRAIN.EMA_SNAPSHOT_STEPS"),
           " is ", train.ema_snapshot_steps,
           ", and there is no average to save: set TRAIN.EMA_STD, as EDM2 to 0.05,0.1");
  const auto& cut = config.aug.cutmix_minmax;
  WF_CHECK(!cut || (*cut)[0] <= (*cut)[1], at("AUG.CUTMIX_MINMAX"), ": the minimum ", (*cut)[0],
           " is above the maximum ", (*cut)[1]);
  WF_CHECK(!config.data.zip_mode || config.data.dataset == DatasetKind::imagenet,
           at("DATA.ZIP_MODE"), " is for image directories, and ", at("DATA.DATASET"), " is ",
           name_of(config.data.dataset));
  WF_CHECK(config.model.dim % 4 == 0, at("MODEL.DIM"), " is ", config.model.dim,
           ": expected a multiple of 4");
  WF_CHECK(config.model.patch_size <= config.data.img_size, at("MODEL.PATCH_SIZE"), " is ",
           config.model.patch_size, ", larger than ", at("DATA.IMG_SIZE"), ", ",
           config.data.img_size);
  WF_CHECK(!config.eval_mode || !config.model.resume.empty() || !config.model.pretrained.empty(),
           "--eval needs --resume FILE: the weights to evaluate");
  WF_CHECK(!config.eval_mode || !config.throughput_mode,
           "--eval and --throughput exclude each other: ", at("EVAL_MODE"), ", ",
           at("THROUGHPUT_MODE"));
}

}  // namespace wf
