#include "checkpoint/saved_config.h"

#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/models/load.h"

#include "checkpoint/weights_metadata.h"
#include "config/describe.h"
#include "config/keys.h"
#include "config/load.h"
#include "core/registry.h"
#include "core/text.h"
#include "data/sources/open_dataset.h"
#include "engine/build_data.h"
#include "engine/tasks.h"
#include "runtime/log.h"

#include <algorithm>

namespace wf {
namespace {

void set_from_file(Config& config, const std::string& key, const std::string& value) {
  try {
    set_key(config, key, value, "");
    config.origins.erase(key);
  } catch (const Error&) {  // of another version, or of the reference implementation
  }
}

// The original trainer saves names that are not of this project's models.
bool is_known(const std::string& key, const std::string& value) {
  if (key != "MODEL.TYPE" && key != "MODEL.NAME") return true;
  auto known = key == "MODEL.TYPE" ? tasks().names() : classifier_names();
  if (key == "MODEL.NAME") {
    for (auto& name : dit_names()) known.push_back(std::move(name));
  }
  return std::find(known.begin(), known.end(), value) != known.end();
}

// Weights tell their number of classes, and by their shapes which network they are of.
void recognize(Config& config, const Weights& weights, const std::string& source) {
  const auto given = [&](const char* key) { return config.origins.count(key) > 0; };
  const auto head = weights.tensors.find("head.weight");
  if (head == weights.tensors.end() || head->second.dim() != 2) return;
  if (!given("MODEL.NUM_CLASSES")) config.model.num_classes = head->second.size(0);
  const auto name = weights.settings.find("MODEL.NAME");
  const bool named = name != weights.settings.end() && is_known(name->first, name->second);
  if (named || given("MODEL.NAME")) return;
  const auto options = classifier_options(weights, source);
  config.model.name = options.name();
  if (!given("DATA.IMG_SIZE")) config.data.img_size = options.image_size();
  log::warning(
      "{}: does not name its model; by its shapes it is {}, and images of {} pixels are used "
      "(--cfg and --opts change that)",
      source, options.name(), config.data.img_size);
}

// The images that the run of `weights` held out, where they are still to be split off.
void evaluate_held_out_images(Config& config, const Weights& weights, const std::string& source) {
  const auto given = [&](const char* key) { return config.origins.count(key) > 0; };
  const auto part = weights.settings.find("DATA.VAL_SPLIT");
  const auto seed = weights.settings.find("SEED");
  if (part == weights.settings.end() || seed == weights.settings.end()) return;
  if (given("DATA.VAL_SPLIT") || config.data.data_path.empty()) return;
  if (has_split(data_source(config.data, {}), "val")) return;
  set_from_file(config, part->first, part->second);
  if (config.data.val_split == 0) return;
  if (!given("SEED")) set_from_file(config, seed->first, seed->second);
  log::info("{}: its run held out {} of the training images (SEED {}); these are evaluated", source,
            config.data.val_split, config.seed);
}

}  // namespace

Config config_in(const Settings& saved, Config otherwise) {
  for (const auto& [key, value] : saved) set_from_file(otherwise, key, value);
  return otherwise;
}

Config evaluation_config(Config config, const Weights& weights, const std::string& source) {
  auto trained = config;
  const auto keys = key_names({Scope::evaluation});
  for (const auto& [key, value] : weights.settings) {
    if (!keys.count(key) || !is_known(key, value)) continue;
    set_from_file(trained, key, value);
    if (!config.origins.count(key)) set_from_file(config, key, value);
  }
  const auto other = differences(trained, config, kTrainedBy);
  if (!other.empty()) {
    log::warning("{}: was trained with other settings; using those given: {}", source,
                 join(other, ", "));
  }
  check_metadata(weights, source);
  recognize(config, weights, source);
  return config;
}

Config evaluation_config(const Config& config) {
  const auto& file = config.model.resume.empty() ? config.model.pretrained : config.model.resume;
  if (!(config.eval_mode || config.throughput_mode) || file.empty()) return config;
  const auto weights = read_weights(file, {false, Checksums::never});
  auto out = evaluation_config(config, weights, file);
  if (config.eval_mode) evaluate_held_out_images(out, weights, file);
  validate(out);
  return out;
}

}  // namespace wf
