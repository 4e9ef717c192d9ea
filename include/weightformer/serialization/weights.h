// The one way in for weights: every program reads every format through read_weights().
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
  std::string taken;  ///< where in the file they were: "model", "model_ema"; empty: at the top
  Settings settings;  ///< what they were trained with: "MODEL.NAME", "DATA.IMG_SIZE"
  std::shared_ptr<MappedFile> file;
  std::vector<Stretch> checksums = {};  ///< in the file, not compared yet
  bool averaged_too = false;            ///< the file has plain and averaged ones
};

/// When the checksums inside a file are compared.
enum class Checksums {
  now,
  while_loading,  ///< by load_weights(), which reads the file once instead of twice
  never,
};

struct WeightsOptions {
  bool ema = false;  ///< the averaged weights; an error when the file has none
  Checksums checksums = Checksums::now;
};

/// Reads `path` by its content, whatever its name: a file of torch.save (zip, or the old format of
/// PyTorch before 1.6) or safetensors. Takes the weights out of a training checkpoint (model,
/// state_dict, …) and strips the prefixes of wrappers (module., _orig_mod.). Nothing in the file is
/// run. Throws wf::Error in one line: file, what is wrong, where.
Weights read_weights(const std::string& path, const WeightsOptions& options = {});

/// The same from an open file of torch.save; checksums are not compared.
Weights read_weights(TensorFile& file, bool ema = false);

/// `name` without what wrappers add: "module." in front (data-parallel training), "_orig_mod."
/// anywhere (torch.compile).
std::string bare_name(std::string name);

struct LoadOptions {
  bool allow_missing = false;  ///< names that only one side has are left alone
  bool other_head = false;     ///< tensors of the head that have another class count stay fresh
  std::vector<std::string> heads = {"head."};  ///< prefixes of the head's tensors in the model
};

/// What load_weights left alone, by name.
struct LoadReport {
  std::vector<std::string> missing, surplus, fresh_head;
};

/// Copies `weights` into the parameters and buffers of `module` by name, converting dtype and
/// device. Throws wf::Error, naming `source`, unless names and shapes are the module's, but for
/// what `options` allow; nothing is copied then.
LoadReport load_weights(torch::nn::Module& module, const TensorMap& weights,
                        const std::string& source, const LoadOptions& options = {});

/// The same, and hands the file's memory back tensor by tensor, so that both together need little
/// more than the module: `weights` must not have been changed, and is used up. Checksums that were
/// left for now are compared: where one does not fit this throws wf::Error too, but what the module
/// then holds is partly the file's.
LoadReport load_weights(torch::nn::Module& module, Weights&& weights, const std::string& source,
                        const LoadOptions& options = {});

/// The same straight from a file of any format, with Checksums::while_loading.
LoadReport load_weights(torch::nn::Module& module, const std::string& path,
                        const LoadOptions& options = {});

/// Every parameter and buffer by its name in the state dict; shares memory with the module.
TensorMap state_dict(const torch::nn::Module& module);

}  // namespace wf
