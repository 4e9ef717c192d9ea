#pragma once

#include "weightformer/data/sample_reader.h"

#include "data/dataset.h"
#include "data/transforms.h"

#include <memory>

namespace wf {

/// The images of `dataset` after `transform`: [B, 3, S, S] float32, normalized and erased.
/// `bytes`: uint8 instead, a quarter of the bytes; normalizing and erasing happen on the device
/// (model_input() in data/device_batch.h).
std::shared_ptr<const SampleReader> make_image_reader(std::shared_ptr<const Dataset> dataset,
                                                      std::shared_ptr<const Transform> transform,
                                                      bool bytes = false);

}  // namespace wf
