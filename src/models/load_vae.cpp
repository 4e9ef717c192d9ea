#include "weightformer/core/check.h"
#include "weightformer/models/load.h"
#include "weightformer/models/vae.h"
#include "weightformer/serialization/weights.h"

#include "core/mapped_file.h"
#include "core/registry.h"
#include "core/text.h"

#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

namespace wf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kConfig = "config.json";
constexpr std::array kWeights{"diffusion_pytorch_model.safetensors",
                              "diffusion_pytorch_model.fp16.safetensors",
                              "diffusion_pytorch_model.bin"};

struct VaeFiles {
  std::string config, weights;
};

VaeFiles find_files(const std::string& path) {
  std::error_code ignored;
  WF_CHECK(fs::exists(path, ignored), path, ": no such file or directory (autoencoder)");
  VaeFiles out{"", path};
  const bool directory = fs::is_directory(path, ignored);
  out.config = (directory ? fs::path(path) : fs::path(path).parent_path()) / kConfig;
  WF_CHECK(fs::exists(out.config, ignored), out.config,
           ": no such file; an autoencoder of diffusers has one beside its weights");
  if (!directory) return out;
  for (const auto* name : kWeights) {
    out.weights = fs::path(path) / name;
    if (fs::exists(out.weights, ignored)) return out;
  }
  throw Error(str(path, ": holds none of ", join({kWeights.begin(), kWeights.end()}, ", ")));
}

// The settings of a network in diffusers' config.json. Remembers which were asked for.
class VaeConfig {
 public:
  explicit VaeConfig(const std::string& path) : path_(path) {
    const MappedFile file(path);
    json_ = json::parse(file.bytes(), nullptr, /*allow_exceptions=*/false);
    WF_CHECK(json_.is_object(), path, ": not a JSON object; expected diffusers' configuration");
  }

  template <typename T>
  T get(const char* name, T fallback) {
    known_.insert(name);
    const auto found = json_.find(name);
    if (found == json_.end() || found->is_null()) return fallback;
    try {
      return found->get<T>();
    } catch (const json::exception&) {
      throw Error(str(path_, ": ", name, " is ", found->dump(), ", which has the wrong type"));
    }
  }

  // For a setting of which one value is supported, also as every element of a list.
  void require(const char* name, const json& value) {
    known_.insert(name);
    const auto found = json_.find(name);
    if (found == json_.end() || found->is_null() || *found == value) return;
    const bool all = found->is_array() && std::all_of(found->begin(), found->end(),
                                                      [&](const auto& v) { return v == value; });
    WF_CHECK(all, path_, ": ", name, " is ", found->dump(), ", supported is ", value.dump());
  }

  // Settings that say nothing about the computation.
  void ignore(std::initializer_list<const char*> names) {
    known_.insert(names.begin(), names.end());
  }

  std::vector<std::string> unknown() const {
    std::vector<std::string> notes;
    for (const auto& [name, value] : json_.items()) {
      if (name.front() == '_' || known_.count(name)) continue;
      notes.push_back(str(path_, ": ", name, " ", value.dump(), " is not known and has no effect"));
    }
    return notes;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  json json_;
  std::set<std::string> known_;
};

VaeOptions vae_options(VaeConfig& config) {
  VaeOptions o;
  o.image_channels(config.get("in_channels", o.image_channels()));
  o.latent_channels(config.get("latent_channels", o.latent_channels()));
  // diffusers' own default, a single block, belongs to no published autoencoder.
  o.block_channels(config.get("block_out_channels", o.block_channels()));
  o.layers_per_block(config.get("layers_per_block", o.layers_per_block()));
  o.groups(config.get("norm_num_groups", o.groups()));
  o.attention(config.get("mid_block_add_attention", o.attention()));
  o.quant_conv(config.get("use_quant_conv", o.quant_conv()));
  o.post_quant_conv(config.get("use_post_quant_conv", o.post_quant_conv()));
  o.scaling(config.get("scaling_factor", o.scaling()));
  o.shift(config.get("shift_factor", o.shift()));
  config.require("out_channels", o.image_channels());
  config.require("down_block_types", "DownEncoderBlock2D");
  config.require("up_block_types", "UpDecoderBlock2D");
  config.require("act_fn", "silu");
  config.require("latents_mean", nullptr);
  config.require("latents_std", nullptr);
  config.ignore({"sample_size", "force_upcast"});
  return o;
}

TinyDecoderOptions tiny_options(VaeConfig& config) {
  TinyDecoderOptions o;
  o.image_channels(config.get("out_channels", o.image_channels()));
  o.latent_channels(config.get("latent_channels", o.latent_channels()));
  o.block_channels(config.get("decoder_block_out_channels", o.block_channels()));
  o.blocks(config.get("num_decoder_blocks", o.blocks()));
  config.require("act_fn", "relu");
  config.require("upsampling_scaling_factor", 2);
  config.require("upsample_fn", "nearest");
  config.require("latent_magnitude", 3);
  config.require("scaling_factor", 1.0);
  config.require("shift_factor", 0.0);
  config.ignore({"in_channels", "encoder_block_out_channels", "num_encoder_blocks", "latent_shift",
                 "force_upcast", "block_out_channels"});
  return o;
}

// The attention's parameters under their present names, [C, C] matrices also where they were saved
// as 1 x 1 convolutions. Source: diffusers, models/modeling_utils.py,
// _convert_deprecated_attention_blocks.
TensorMap with_present_names(TensorMap weights) {
  static const std::map<std::string, std::string> renamed{
      {"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}};
  TensorMap out;
  for (auto& [name, tensor] : weights) {
    auto present = name;
    if (name.find(".attentions.") != std::string::npos) {
      const auto end = name.rfind('.'), begin = name.rfind('.', end - 1) + 1;
      const auto found = renamed.find(name.substr(begin, end - begin));
      if (found != renamed.end()) present.replace(begin, end - begin, found->second);
      if (tensor.dim() == 4) tensor = tensor.flatten(1);
    }
    out.emplace(present, tensor);
  }
  return out;
}

LoadedVae load_kl(VaeConfig& config, const std::string& path) {
  auto module = std::make_shared<VaeImpl>(vae_options(config));
  load_weights(*module, with_present_names(read_weights(path).tensors), path);
  return {module, module.get(), module.get()};
}

LoadedVae load_tiny(VaeConfig& config, const std::string& path) {
  auto module = std::make_shared<TinyDecoderImpl>(tiny_options(config));
  auto weights = read_weights(path).tensors;
  for (auto it = weights.begin(); it != weights.end();) {
    it = starts_with(it->first, "encoder.") ? weights.erase(it) : std::next(it);
  }
  load_weights(*module, weights, path);
  return {module, module.get(), nullptr};
}

}  // namespace

LoadedVae load_vae(const std::string& path) {
  static const Registry<LoadedVae (*)(VaeConfig&, const std::string&)> known(
      "autoencoder class", {{"AutoencoderKL", load_kl}, {"AutoencoderTiny", load_tiny}});
  const auto files = find_files(path);
  VaeConfig config(files.config);
  const auto name = config.get<std::string>("_class_name", "AutoencoderKL");
  const auto names = known.names();
  WF_CHECK(std::find(names.begin(), names.end(), name) != names.end(), files.config,
           ": _class_name is ", name, ", supported are ", join(names, ", "));
  auto loaded = known.at(name)(config, files.weights);
  loaded.module->eval();
  loaded.notes = config.unknown();
  return loaded;
}

}  // namespace wf
