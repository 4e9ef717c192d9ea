// Loading weights: read_weights() is the single entry point for all formats.
#pragma once

#include "weightformer/serialization/safetensors.h"
#include "weightformer/serialization/settings.h"

#include <memory>
#include <string>
#include <vector>

namespace torch::nn {
class Module;
}

namespace wf {

class MappedFile;
class TensorFile;

/// The weights of a file, by the names of a bare state dict, in a private map of the file.
struct Weights {
  TensorMap tensors;
  std::vector<std::string> classes;  ///< names of the outputs; empty when the file has none
  std::string source_key;  ///< key in the file: "model", "model_ema"; empty: at the top level
  Settings settings;       ///< what they were trained with: "MODEL.NAME", "DATA.IMG_SIZE"
  std::shared_ptr<MappedFile> file;
  std::vector<ChecksummedRange> checksums = {};  ///< in the file, not verified yet
  bool has_ema = false;                          ///< the file has trained weights and EMA weights
};

/// When the checksums inside a file are verified.
enum class Checksums {
  now,
  while_loading,  ///< by load_weights(), which reads the file once instead of twice
  never,
};

struct WeightsOptions {
  bool ema = false;  ///< the EMA weights; an error when the file has none
  Checksums checksums = Checksums::now;
};

/// Reads `path`; the content, not the name, decides the format: a file of torch.save (zip, or the
/// old format of PyTorch before 1.6) or safetensors. Takes the weights out of a training checkpoint
/// (model, state_dict, …) and strips the prefixes of wrappers (module., _orig_mod.). No code in the
/// file is executed. Throws wf::Error in one line: file, what is wrong, where.
Weights read_weights(const std::string& path, const WeightsOptions& options = {});

/// The same from an open file of torch.save; checksums are not verified.
Weights read_weights(TensorFile& file, bool ema = false);

/// `name` without what wrappers add: "module." in front (data-parallel training), "_orig_mod."
/// anywhere (torch.compile).
std::string bare_name(std::string name);

struct LoadOptions {
  bool allow_missing = false;  ///< ignore names that only one side has
  bool allow_head_mismatch =
      false;  ///< keep the initial values of head tensors with another class count
  std::vector<std::string> heads = {"head."};  ///< prefixes of the head's tensors in the model
};

/// Names that were not loaded, as in PyTorch: missing and unexpected ones, and those of the
/// reinitialized head.
struct LoadReport {
  std::vector<std::string> missing, unexpected, reinitialized;
};

/// Copies `weights` into the parameters and buffers of `module` by name, converting dtype and
/// device. Throws wf::Error, naming `source`, unless names and shapes are those of the module,
/// except for what `options` allow; nothing is copied then.
LoadReport load_weights(torch::nn::Module& module, const TensorMap& weights,
                        const std::string& source, const LoadOptions& options = {});

/// The same, and releases the memory of the file tensor by tensor, so that the peak is little more
/// than the module: `weights` must be unchanged, and is consumed. Pending checksums are verified:
/// on a mismatch this throws wf::Error too, but the module is then partly overwritten.
LoadReport load_weights(torch::nn::Module& module, Weights&& weights, const std::string& source,
                        const LoadOptions& options = {});

/// The same directly from a file of any format, with Checksums::while_loading.
LoadReport load_weights(torch::nn::Module& module, const std::string& path,
                        const LoadOptions& options = {});

/// Every parameter and buffer by its name in the state dict; shares memory with the module.
TensorMap state_dict(const torch::nn::Module& module);

}  // namespace wf
