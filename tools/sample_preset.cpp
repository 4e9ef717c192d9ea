#include "sample_preset.h"

#include "config/describe.h"
#include "config/load.h"
#include "core/atomic_file.h"
#include "core/registry.h"
#include "engine/diffusion/latent_codec.h"
#include "engine/weights_checksum.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

namespace wf {
namespace {

struct Preset {
  std::vector<std::pair<std::string, std::string>> keys;
  int64_t images;
};

const Registry<Preset>& presets() {
  static const Registry<Preset> table(
      "preset", {// sample_ddp.py and the tables of DiT (Peebles and Xie 2023), evaluated as in ADM.
                 {"adm-dit",
                  {{{"SAMPLE.SAMPLER", "ddpm"},
                    {"SAMPLE.STEPS", "250"},
                    {"SAMPLE.SCALE", "1.5"},
                    {"SAMPLE.GUIDED_CHANNELS", "three"},
                    {"SAMPLE.INTERVAL", "[0, 1]"},
                    {"SAMPLE.ETA", "0"},
                    {"SAMPLE.CLIP", "false"},
                    {"SAMPLE.SEED", "0"},
                    {"AMP", "false"}},
                   50000}}});
  return table;
}

// The settings that differ from those of the preset: "SAMPLE.SCALE 1.5 → 4".
std::vector<std::string> changes(const Preset& preset, const SampleModelRequest& request,
                                 const SampleModel& model, const SampleFiles& files) {
  auto published = model.config;
  for (const auto& [key, value] : preset.keys) set_key(published, key, value, "--preset");
  auto out = differences(published, model.config, {Scope::training, Scope::run});
  if (files.images != preset.images)
    out.push_back(str("images ", preset.images, " → ", files.images));
  if (files.balanced) out.emplace_back("labels random → balanced");
  if (!request.ema) out.emplace_back("weights EMA → trained");
  for (auto& text : out) text.erase(std::remove(text.begin(), text.end(), '"'), text.end());
  return out;
}

}  // namespace

void apply_preset(const std::string& name, SampleModelRequest& model, SampleFiles& files,
                  bool images_given) {
  if (name.empty()) return;
  const auto& preset = presets().at(name);
  std::vector<std::string> settings;
  for (const auto& [key, value] : preset.keys) settings.insert(settings.end(), {key, value});
  model.settings.insert(model.settings.begin(), settings.begin(), settings.end());
  if (!images_given) files.images = preset.images;
}

void write_sample_settings(const SampleModelRequest& request, const SampleModel& model,
                           const SampleFiles& files, const LatentCodec* codec) {
  nlohmann::ordered_json settings;
  const auto& name = files.preset;
  settings["preset"] = name.empty() ? "none" : name;
  const auto changed = name.empty() ? std::vector<std::string>{}
                                    : changes(presets().at(name), request, model, files);
  settings["changed from the preset"] = changed.empty() ? "nothing" : join(changed, "; ");
  settings["weights"] = weights_checksum(*model.model);
  settings["weights under"] = model.weights.empty() ? "the top level" : model.weights;
  settings["images"] = std::to_string(files.images);
  settings["labels"] = files.images == 0 ? "of the grid" : files.balanced ? "balanced" : "random";
  settings["rounding"] = "truncate(127.5 x + 128)";
  std::istringstream lines(
      (codec ? codec->settings() : "") +
      list_settings(model.config, {"MODEL.NAME", "DIFFUSION.", "SAMPLE.", "AMP", "DATA.IMG_SIZE"}));
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(": ");
    auto value = line.substr(colon + 2);
    if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
    settings[line.substr(0, colon)] = value;
  }
  // As wf_fid writes its results.
  const nlohmann::ordered_json json{{"figures", nlohmann::ordered_json::object()},
                                    {"settings", settings}};
  write_text_file(files.directory + "/settings.json", json.dump(2) + "\n");
}

}  // namespace wf
