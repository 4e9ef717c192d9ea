#include "engine/weights_checksum.h"

#include "weightformer/serialization/weights.h"

#include "core/checksum.h"

#include <fmt/format.h>

namespace wf {

std::string weights_checksum(const torch::nn::Module& model) {
  uint32_t crc = 0;
  for (const auto& [name, tensor] : state_dict(model)) {
    const auto bytes = tensor.detach().cpu().contiguous();
    crc = checksum({static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()},
                   checksum(name, crc));
  }
  return fmt::format("{:08x}", crc);
}

}  // namespace wf
