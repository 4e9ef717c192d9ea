#include "checkpoint/saved_config.h"

#include "checkpoint/yaml_tree.h"
#include "serialization/tensor_file.h"

namespace wf {

std::optional<Config> saved_config(const std::string& path) {
  const auto file = open_tensors(path);
  if (!is_torch(*file)) return std::nullopt;
  const TensorFile tensors(file);
  const auto* config = tensors.root().find("config");
  if (!config) return std::nullopt;
  return config_in(*config, Config());
}

}  // namespace wf
