#pragma once

#include "weightformer/data/batch.h"

#include <c10/core/Device.h>

namespace wf {

/// The batch's images as a model takes them: [B, 3, S, S] float32 on `device`, normalised, the
/// erased parts overwritten. Bytes are transferred as they are and made into numbers there, equal
/// to 1e-6 to those that workers write; nothing waits for the device. May share memory with the
/// batch.
at::Tensor model_input(const Batch& batch, c10::Device device);

}  // namespace wf
