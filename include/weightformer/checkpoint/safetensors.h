// Files of named tensors in the safetensors format (8-byte header length, JSON header, raw data).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace torch::nn {
class Module;
}

namespace wf {

using TensorMap = std::map<std::string, at::Tensor>;

struct Safetensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

/// Reads all of `path`. The tensors lie in a private memory map of the file: pages are read when
/// touched, and writing to a tensor does not change the file. dtypes: F64 F32 F16 BF16 I64 I32 I16
/// I8 U8 BOOL. Throws wf::Error naming the file and what is wrong with it.
Safetensors read_safetensors(const std::string& path);

/// Writes atomically: a reader sees the old file or the new one, whole, also after a power cut.
/// Tensors may be strided and on any device.
void write_safetensors(const std::string& path, const Safetensors& content);

/// Copies `weights` into the parameters and buffers of `module` by name, converting the dtype.
/// Throws wf::Error, naming `source`, unless names and shapes are exactly the module's; nothing is
/// copied then.
void load_weights(torch::nn::Module& module, const TensorMap& weights, const std::string& source);

/// The same from a safetensors file.
void load_weights(torch::nn::Module& module, const std::string& path);

/// Every parameter and buffer by its name in the state dict; shares memory with the module.
TensorMap state_dict(const torch::nn::Module& module);

}  // namespace wf
