#pragma once

#include "weightformer/data/batch.h"

#include <c10/core/Device.h>

namespace wf {

/// The images of the batch as input of a model: [B, 3, S, S] float32 on `device`, normalized, the
/// erased regions overwritten. Bytes are transferred and converted there, equal to 1e-6 to the
/// values that workers write; nothing synchronizes with the device. May share memory with the
/// batch.
at::Tensor model_input(const Batch& batch, c10::Device device);

}  // namespace wf
