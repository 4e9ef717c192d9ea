#include "checkpoint/saved_config.h"

#include "weightformer/core/check.h"
#include "weightformer/models/dit.h"
#include "weightformer/models/load.h"

#include "checkpoint/weights_metadata.h"
#include "config/describe.h"
#include "config/load.h"
#include "core/registry.h"
#include "core/text.h"
#include "engine/tasks.h"
#include "runtime/log.h"

#include <algorithm>

namespace wf {
namespace {

// What decides the outputs of a trained model: the network, and how an image becomes its input.
bool matters_in_evaluation(const std::string& key) {
  static const std::vector<std::string> never{"MODEL.RESUME",        "MODEL.PRETRAINED",
                                              "MODEL.ALLOW_MISSING", "MODEL.LABEL_SMOOTHING",
                                              "MODEL.DROP_RATE",     "MODEL.DROP_PATH_RATE"};
  static const std::vector<std::string> sections{"MODEL.", "DIFFUSION."};
  static const std::vector<std::string> keys{
      "DATA.IMG_SIZE", "DATA.INTERPOLATION", "TEST.CROP", "AUG.CROP_PADDING", "AMP", "AMP_DTYPE"};
  const auto contains = [&](const auto& list) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  if (contains(never)) return false;
  return contains(keys) || std::any_of(sections.begin(), sections.end(), [&](const auto& section) {
           return starts_with(key, section);
         });
}

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

}  // namespace

Config config_in(const Settings& saved, Config otherwise) {
  for (const auto& [key, value] : saved) set_from_file(otherwise, key, value);
  return otherwise;
}

Config evaluation_config(Config config, const Weights& weights, const std::string& source) {
  auto trained = config;
  for (const auto& [key, value] : weights.settings) {
    if (!matters_in_evaluation(key) || !is_known(key, value)) continue;
    set_from_file(trained, key, value);
    if (!config.origins.count(key)) set_from_file(config, key, value);
  }
  const auto other = differences(trained, config, {Scope::training});
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
  auto out = evaluation_config(config, read_weights(file, {false, Checksums::never}), file);
  validate(out);
  return out;
}

}  // namespace wf
