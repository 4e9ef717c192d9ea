#include "weightformer/serialization/weights.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"
#include "serialization/flat_settings.h"
#include "serialization/tensor_file.h"

#include <nlohmann/json.hpp>
#include <torch/nn/module.h>

#include <algorithm>

namespace wf {
namespace {

using nlohmann::json;
using pickle::Kind;
using pickle::Value;

constexpr const char* kEma[] = {"model_ema", "ema", "state_dict_ema", "ema_state_dict"};
constexpr const char* kPlain[] = {"model", "state_dict", "model_state_dict",
                                  "net",   "module",     "weights"};
constexpr int kWrappers = 3;  // nested in each other

// Metadata of the safetensors files into which wf_convert used to put complete checkpoints, with
// each tensor named by its path: "model.head.weight", "optimizer.state.0.exp_avg".
constexpr const char* kFullCheckpoint = "checkpoint";

bool is_state_dict(const Value& value) {
  for (size_t i = 1; i < value.items.size() && value.is(Kind::dict); i += 2) {
    if (value.items[i]->is(Kind::tensor)) return true;
  }
  return false;
}

template <size_t N>
std::pair<const Value*, std::string> inside(const Value& root, const char* const (&keys)[N]) {
  for (const char* key : keys) {
    const auto* value = root.find(key);
    if (value && value->is(Kind::dict)) return {value, key};
  }
  return {nullptr, ""};
}

std::pair<const Value*, std::string> find_weights(const TensorFile& file, bool ema) {
  const Value* at = &file.root();
  std::string source_key;
  if (ema) {
    std::tie(at, source_key) = inside(*at, kEma);
    WF_CHECK(at, file.path(), ": no EMA weights in it (looked for ",
             join({std::begin(kEma), std::end(kEma)}, ", "), ")");
  }
  for (int level = 0; level < kWrappers; ++level) {
    // Wrappers first: a training script may store another tensor (best_acc1) beside them.
    auto [next, key] = inside(*at, kPlain);
    if (!next && !is_state_dict(*at)) std::tie(next, key) = inside(*at, kEma);
    if (!next) break;
    at = next;
    source_key += (source_key.empty() ? "" : ".") + key;
  }
  WF_CHECK(is_state_dict(*at), file.path(),
           ": no weights in it: expected tensors by name, or a "
           "dict of them under ",
           join({std::begin(kPlain), std::end(kPlain)}, ", "), " or ",
           join({std::begin(kEma), std::end(kEma)}, ", "),
           at->is(Kind::opaque) ? ". It holds a pickled " + at->text.substr(0, 100) +
                                      "; save model.state_dict() instead"
                                : "");
  return {at, source_key};
}

bool has_both(const Value& root) { return inside(root, kEma).first && inside(root, kPlain).first; }

TensorMap without_prefixes(const TensorMap& tensors) {
  TensorMap out;
  for (const auto& [name, tensor] : tensors) out[bare_name(name)] = tensor;
  return out;
}

TensorMap with_prefix(const TensorMap& from, const std::string& prefix) {
  TensorMap out;
  for (const auto& [name, tensor] : from) {
    if (starts_with(name, prefix)) out[name.substr(prefix.size())] = tensor;
  }
  return out;
}

std::vector<std::string> classes_of(const Safetensors& file) {
  const auto found = file.metadata.find("classes");
  if (found == file.metadata.end()) return {};
  const json names = json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> out;
  if (!names.is_array()) return out;
  for (const auto& name : names) {
    if (name.is_string()) out.push_back(name);
  }
  return out;
}

std::vector<std::string> classes_of(const Value& root) {
  std::vector<std::string> out;
  const auto* ours = root.find("weightformer");
  const auto* names = ours ? ours->find("classes") : nullptr;
  if (!names || !names->is(Kind::list)) return out;
  for (const auto* name : names->items) out.push_back(name->text);
  return out;
}

// wf_convert puts the settings of a checkpoint into the metadata of safetensors, as JSON.
Settings settings_of(const Safetensors& file) {
  const auto found = file.metadata.find(kSettingsMetadata);
  if (found == file.metadata.end()) return {};
  const json config = json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  Settings out;
  if (!config.is_object()) return out;
  for (const auto& [key, value] : config.items()) {
    if (value.is_string()) out[key] = value;
  }
  return out;
}

Settings settings_of(const Value& root) {
  const auto* config = root.find("config");
  return config ? flat_settings(*config) : Settings{};
}

std::vector<std::string> only_in(const TensorMap& from, const TensorMap& in) {
  std::vector<std::string> names;
  for (const auto& item : from) {
    if (!in.count(item.first)) names.push_back(item.first);
  }
  return names;
}

std::string listed(std::vector<std::string> names) {
  constexpr size_t kShown = 8;
  if (names.size() > kShown) {
    const size_t hidden = names.size() - kShown;
    names.resize(kShown);
    names.push_back(str("… and ", hidden, " more"));
  }
  return join(names, ", ");
}

struct Copy {
  at::Tensor to, from;
};

// Performs the copies that are plain copies of a checksummed range, verifying all checksums on the
// way. Returns the other copies.
std::vector<Copy> copy_checked(const Weights& weights, std::vector<Copy> copies) {
  auto ranges = weights.checksums;
  std::sort(ranges.begin(), ranges.end(),
            [](const ChecksummedRange& a, const ChecksummedRange& b) { return a.begin < b.begin; });
  const auto in_range = [&](uint64_t begin, uint64_t end) {
    auto after =
        std::upper_bound(ranges.begin(), ranges.end(), begin,
                         [](uint64_t at, const ChecksummedRange& s) { return at < s.begin; });
    return after != ranges.begin() && end <= (--after)->begin + after->size;
  };
  const auto file = weights.file->bytes();
  uint64_t filled = 0;  // in the file: two names may share memory
  std::vector<Destination> plain;
  std::vector<Copy> others;
  for (auto& copy : copies) {
    const auto& [to, from] = copy;
    // A tensor that was copied out on reading is not in the map: its offset is beyond the end.
    const uint64_t begin = reinterpret_cast<uintptr_t>(from.const_data_ptr()) -
                           reinterpret_cast<uintptr_t>(file.data());
    const auto end = begin + from.nbytes();
    if (from.is_contiguous() && to.is_contiguous() && to.is_cpu() &&
        to.scalar_type() == from.scalar_type() && begin >= filled && end > begin &&
        end <= file.size() && in_range(begin, end)) {
      plain.push_back({begin, from.nbytes(), to.data_ptr()});
      filled = end;
    } else {
      others.push_back(std::move(copy));
    }
  }
  verify(*weights.file, ranges, plain);
  return others;
}

Weights safetensors_weights(const std::shared_ptr<MappedFile>& map, bool ema) {
  auto file = read_safetensors(map);
  Weights out{{}, classes_of(file), "", settings_of(file), map, file.checksums};
  if (!file.metadata.count(kFullCheckpoint)) {
    WF_CHECK(!ema, map->path(), ": holds one set of weights, no EMA weights");
    out.tensors = without_prefixes(file.tensors);
    return out;
  }
  auto trained = with_prefix(file.tensors, "model."),
       averages = with_prefix(file.tensors, "model_ema.");
  out.has_ema = !trained.empty() && !averages.empty();
  out.source_key = ema ? "model_ema" : "model";
  out.tensors = without_prefixes(ema ? averages : trained);
  WF_CHECK(!out.tensors.empty(), map->path(), ": no tensor ", out.source_key, ".* in it");
  return out;
}

bool is_head(const std::string& name, const std::vector<std::string>& heads) {
  return std::any_of(heads.begin(), heads.end(),
                     [&](const auto& prefix) { return starts_with(name, prefix); });
}

Weights apply_checksum_policy(Weights weights, Checksums when) {
  if (when == Checksums::now) verify(*weights.file, weights.checksums);
  if (when != Checksums::while_loading) weights.checksums.clear();
  return weights;
}

}  // namespace

std::string bare_name(std::string name) {
  const std::string parallel = "module.", compiled = "_orig_mod.";
  size_t at = 0;
  while (at < name.size()) {  // from one dot to the next
    if (name.compare(at, compiled.size(), compiled) == 0) {
      name.erase(at, compiled.size());
    } else if (at == 0 && starts_with(name, parallel)) {
      name.erase(0, parallel.size());
    } else {
      at = name.find('.', at);
      at = at == std::string::npos ? name.size() : at + 1;
    }
  }
  return name;
}

Weights read_weights(TensorFile& file, bool ema) {
  const auto [dict, source_key] = find_weights(file, ema);
  return {without_prefixes(file.tensors(*dict)),
          classes_of(file.root()),
          source_key,
          settings_of(file.root()),
          file.file(),
          {},
          has_both(file.root())};
}

Weights read_weights(const std::string& path, const WeightsOptions& options) {
  const auto map = open_tensors(path);
  if (is_torch(*map)) {
    TensorFile file(map);
    auto weights = read_weights(file, options.ema);
    weights.checksums = file.checksums();
    return apply_checksum_policy(std::move(weights), options.checksums);
  }
  return apply_checksum_policy(safetensors_weights(map, options.ema), options.checksums);
}

TensorMap state_dict(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

LoadReport load_weights(torch::nn::Module& module, const TensorMap& weights,
                        const std::string& source, const LoadOptions& options) {
  return load_weights(module, Weights{weights, {}, "", {}, nullptr}, source, options);
}

LoadReport load_weights(torch::nn::Module& module, Weights&& weights, const std::string& source,
                        const LoadOptions& options) {
  const auto name_of = [&] {
    const auto model = weights.settings.find("MODEL.NAME");
    if (model == weights.settings.end()) return source;
    return str(source, " (a checkpoint of ", model->second.substr(0, 100), ")");
  };
  const auto state = state_dict(module);
  const auto& tensors = weights.tensors;
  LoadReport report{only_in(state, tensors), only_in(tensors, state), {}};
  const auto &missing = report.missing, &unexpected = report.unexpected;
  WF_CHECK(options.allow_missing || (missing.empty() && unexpected.empty()), name_of(),
           ": not the weights of this model: ", missing.empty() ? "" : "missing " + listed(missing),
           missing.empty() || unexpected.empty() ? "" : "; ",
           unexpected.empty() ? "" : "unexpected " + listed(unexpected));
  std::vector<Copy> copies;
  for (const auto& [name, tensor] : tensors) {
    const auto own = state.find(name);
    if (own == state.end()) continue;
    const bool head_mismatch = is_head(name, options.heads) && tensor.dim() == own->second.dim() &&
                               tensor.size(0) != own->second.size(0);
    if (head_mismatch && options.allow_head_mismatch) {
      report.reinitialized.push_back(name);
      continue;
    }
    WF_CHECK(tensor.sizes() == own->second.sizes(), name_of(), ": ", name, " is ", tensor.sizes(),
             " in the file and ", own->second.sizes(), " in the model",
             head_mismatch ? str(": the weights are of ", tensor.size(0),
                                 " classes; set that number (MODEL.NUM_CLASSES, num_classes()), "
                                 "or fine-tune with wf_train --pretrained")
                           : "; are they the weights of this model (MODEL.NAME, --model)?");
    copies.push_back({own->second, tensor});
  }
  WF_CHECK(!copies.empty(), source, ": contains no tensor of this model");
  // In the order of the file, which is the fastest order to read it in.
  std::sort(copies.begin(), copies.end(), [](const Copy& a, const Copy& b) {
    return std::less<const void*>()(a.from.const_data_ptr(), b.from.const_data_ptr());
  });
  const at::NoGradGuard no_grad;
  if (!weights.checksums.empty()) copies = copy_checked(weights, std::move(copies));
  for (auto& [to, from] : copies) {
    to.copy_(from);
    if (weights.file && from.is_contiguous()) {
      weights.file->release(from.const_data_ptr(), from.nbytes());
    }
  }
  weights.tensors.clear();
  return report;
}

LoadReport load_weights(torch::nn::Module& module, const std::string& path,
                        const LoadOptions& options) {
  return load_weights(module, read_weights(path, {false, Checksums::while_loading}), path, options);
}

}  // namespace wf
