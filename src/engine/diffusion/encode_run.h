// Images of a dataset to a file of latents.
#pragma once

#include "data/dataset.h"
#include "engine/diffusion/latent_codec.h"
#include "engine/distributed.h"

#include <cstdint>
#include <memory>
#include <string>

namespace wf {

struct EncodeRunOptions {
  std::string output;      ///< file.wflat
  int64_t size = 256;      ///< side of the center crop, pixels; see center_crop()
  int64_t batch_size = 8;  ///< that of the codec
  int64_t part = 256;      ///< images per part, and the maximum loss when killed
  bool flipped = true;     ///< encode the mirrored images too
  bool half = false;       ///< store float16
  int workers = 2;         ///< threads that decode
};

/// Encodes `images` by `codec` on all ranks into options.output; see packed_latents.h. Parts are
/// kept in options.output + ".parts" until all are there and joined; a restart, on any number of
/// ranks, encodes the missing ones and ends with the same bytes. Unreadable images are named in the
/// log and left out. Throws wf::Error, also when the file is there and was made with other
/// settings.
void encode_images(std::shared_ptr<const Dataset> images, LatentCodec& codec,
                   const EncodeRunOptions& options, Distributed& ranks);

}  // namespace wf
