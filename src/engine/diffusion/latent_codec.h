// An autoencoder at work: images to latents and back.
#pragma once

#include "weightformer/models/load.h"
#include "weightformer/models/vae.h"
#include "weightformer/nn/mixed_precision.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace wf {

struct LatentCodecOptions {
  int64_t batch_size = 8;  ///< images at a time
  int64_t tile = 0;        ///< side of the tiles that images are cut into, pixels; 0: no tiles
  c10::Device device = c10::kCPU;
  std::optional<Precision> amp;  ///< mixed precision
};

/// Every batch is filled up to the same size, so that what becomes of an image does not depend on
/// the others: neither on their number nor on the ranks that share the work.
class LatentCodec {
 public:
  /// load_vae(path), on the device; its notes are logged as warnings. Throws wf::Error, also for
  /// tiles that do not fit.
  LatentCodec(const std::string& path, const LatentCodecOptions& options);

  /// latents: [N, C, h, w] float32, as a diffusion model has them → [N, 3, H, W] uint8 on the CPU,
  /// see to_bytes(). `on_batch`, when given, is called before each batch and may throw to stop.
  /// Throws wf::Error when images are not finite.
  at::Tensor decode(const at::Tensor& latents, const std::function<void()>& on_batch = {});

  /// images: [N, 3, H, W] uint8 → the posterior of z, not scaled, float32 on the device. Throws
  /// wf::Error for a decoder without an encoder.
  VaePosterior encode(const at::Tensor& images);

  /// (z - shift) * scaling.
  at::Tensor scale(const at::Tensor& z) const;

  int64_t channels() const { return loaded_.decoder->latent_channels(); }
  int64_t reduction() const { return loaded_.decoder->reduction(); }
  /// Throws wf::Error naming the path when there is no encoder.
  const VaeImpl& autoencoder() const;
  /// Seconds that decode() has taken so far.
  double decode_seconds() const { return decode_seconds_; }
  /// What decides its results: weights, tiles, precision, size of a batch; one "NAME: value" per
  /// line.
  const std::string& settings() const { return settings_; }
  /// Checksum of the weights.
  const std::string& checksum() const { return checksum_; }

 private:
  std::string path_, checksum_, settings_;
  LatentCodecOptions options_;
  LoadedVae loaded_;
  double decode_seconds_ = 0;
};

}  // namespace wf
