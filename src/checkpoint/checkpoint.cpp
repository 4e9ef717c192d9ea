#include "weightformer/checkpoint/checkpoint.h"

#include "weightformer/core/check.h"
#include "weightformer/core/log.h"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace wf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFormat = "weightformer-checkpoint-1";
const std::string kModel = "model.", kOptimizer = "optimizer.", kEma = "ema.", kScaler = "scaler.";

void add(TensorMap& to, const std::string& prefix, const TensorMap& from) {
  for (const auto& [name, tensor] : from) to[prefix + name] = tensor;
}

TensorMap with_prefix(const TensorMap& from, const std::string& prefix) {
  TensorMap out;
  for (const auto& [name, tensor] : from) {
    if (name.rfind(prefix, 0) == 0) out[name.substr(prefix.size())] = tensor;
  }
  return out;
}

json to_json(const Progress& p) {
  return {{"epoch", p.epoch},
          {"batch", p.batch},
          {"batches", p.batches},
          {"batch_images", p.batch_images},
          {"step", p.step},
          {"loss_sum", p.loss_sum},
          {"loss_count", p.loss_count},
          {"max_accuracy", p.max_accuracy}};
}

Progress progress_of(const Safetensors& file, const std::string& path) try {
  const json j = json::parse(file.metadata.at("progress"));
  Progress p;
  p.epoch = j.at("epoch");
  p.batch = j.at("batch");
  p.batches = j.at("batches");
  p.batch_images = j.value("batch_images", int64_t{0});  // files from before it existed
  p.step = j.at("step");
  p.loss_sum = j.at("loss_sum");
  p.loss_count = j.at("loss_count");
  p.max_accuracy = j.at("max_accuracy");
  WF_CHECK(p.epoch >= 0 && p.batch >= 0 && p.step >= 0 && p.batch <= p.batches, "out of range");
  return p;
} catch (const std::exception& problem) {
  throw Error(wf::str(path, ": damaged checkpoint: progress: ", problem.what()));
}

bool is_checkpoint(const Safetensors& file) {
  const auto found = file.metadata.find("format");
  return found != file.metadata.end() && found->second == kFormat;
}

std::vector<std::string> classes_of(const Safetensors& file) {
  const auto found = file.metadata.find("classes");
  if (found == file.metadata.end()) return {};
  const json names = json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> out;
  if (names.is_array()) {
    for (const auto& name : names) {
      if (name.is_string()) out.push_back(name);
    }
  }
  return out;
}

struct Found {
  int64_t serial, step;
  std::string path;
};

int64_t serial_of(const Safetensors& file) {
  const auto found = file.metadata.find("serial");
  return found == file.metadata.end() ? 0 : std::strtoll(found->second.c_str(), nullptr, 10);
}

// The readable checkpoints of a run folder, the last saved last. Not by step: a run that went back
// to an older checkpoint must not be overtaken by what it left behind. And not by a clock, which
// may be wrong on the next machine.
std::vector<Found> checkpoints_in(const std::string& folder) {
  std::vector<Found> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (name.rfind("ckpt_", 0) != 0 || entry.path().extension() != ".safetensors") continue;
    try {
      const auto file = read_safetensors(entry.path().string());
      WF_CHECK(is_checkpoint(file), entry.path().string(), ": not a checkpoint of this program");
      found.push_back(
          {serial_of(file), progress_of(file, entry.path().string()).step, entry.path().string()});
    } catch (const Error& problem) {
      log::warning("skipping a checkpoint: {}", problem.what());
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.serial, a.step, a.path) < std::tie(b.serial, b.step, b.path);
  });
  return found;
}

}  // namespace

void save_checkpoint(const std::string& path, const TrainState& state, int64_t serial) {
  Safetensors file;
  add(file.tensors, kModel, state_dict(*state.model));
  add(file.tensors, kOptimizer, state.optimizer->state());
  if (state.ema) add(file.tensors, kEma, state.ema->state());
  if (state.scaler) add(file.tensors, kScaler, state.scaler->state());
  file.metadata["format"] = kFormat;
  file.metadata["progress"] = to_json(state.progress).dump();
  file.metadata["classes"] = json(state.classes).dump();
  file.metadata["config"] = state.config;
  file.metadata["serial"] = std::to_string(serial);
  write_safetensors(path, file);
}

void load_checkpoint(const std::string& path, TrainState& state) {
  const auto file = read_safetensors(path);
  WF_CHECK(is_checkpoint(file), path,
           ": holds weights but no training state; --pretrained takes the weights alone");
  const auto progress = progress_of(file, path);
  const auto weights = with_prefix(file.tensors, kModel);
  state.optimizer->load_state(with_prefix(file.tensors, kOptimizer), path);
  load_weights(*state.model, weights, path);
  const auto averages = with_prefix(file.tensors, kEma), scale = with_prefix(file.tensors, kScaler);
  if (state.ema && averages.empty()) {
    log::warning("{}: no averaged weights in it; the average starts from its weights", path);
    state.ema->reset();
  } else if (state.ema) {
    state.ema->load_state(averages, path);
  }
  if (state.scaler && !scale.empty()) state.scaler->load_state(scale, path);
  state.progress = progress;
}

Weights read_weights(const std::string& path, bool averaged) {
  auto file = read_safetensors(path);
  if (averaged) {
    auto averages = with_prefix(file.tensors, kEma);
    WF_CHECK(!averages.empty(), path, ": holds no averaged weights; leave TEST.EMA off");
    return {std::move(averages), classes_of(file)};
  }
  if (!is_checkpoint(file)) return {std::move(file.tensors), classes_of(file)};
  return {with_prefix(file.tensors, kModel), classes_of(file)};
}

std::optional<std::string> newest_checkpoint(const std::string& folder) {
  const auto found = checkpoints_in(folder);
  if (found.empty()) return std::nullopt;
  return found.back().path;
}

int64_t last_serial(const std::string& folder) {
  const auto found = checkpoints_in(folder);
  return found.empty() ? 0 : found.back().serial;
}

void prune_checkpoints(const std::string& folder, size_t keep) {
  const auto found = checkpoints_in(folder);
  for (size_t i = 0; i + keep < found.size(); ++i) {
    std::error_code ignored;
    fs::remove(found[i].path, ignored);
  }
}

}  // namespace wf
