// Networks whose features images are compared in.
#pragma once

#include "weightformer/models/inception.h"

#include "metrics/statistics_file.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Of a batch, on the CPU.
struct ImageFeatures {
  at::Tensor pooled;   ///< [B, D] float32
  at::Tensor spatial;  ///< [B, S] float32; undefined when the network has none
  at::Tensor logits;   ///< [B, classes] float32, for the inception score
};

class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  /// images: [3, H, W] uint8 each, of any sizes.
  virtual ImageFeatures features(const std::vector<at::Tensor>& images) = 0;
  virtual int64_t dim() const = 0;          ///< D
  virtual int64_t spatial_dim() const = 0;  ///< S; 0: none
  /// What two figures of it must agree on: network, weights, preprocessing.
  virtual const FidelitySettings& settings() const = 0;
  std::string distance() const;
};

/// Of all settings of a file of statistics those of FeatureNetwork::settings().
FidelitySettings network_settings(const FidelitySettings& all);

/// What the Fréchet distance in the features of a network is called: "FID" for Inception-v3, "FD"
/// for any other. `settings`: those of the network; empty: not known, so those of the FID.
std::string distance_name(const FidelitySettings& settings);

/// The network of the FID. `weights` identifies the weights in the settings; `model` has them and
/// is on `device`, its normalization is folded here.
std::unique_ptr<FeatureNetwork> inception_network(Inception model, InceptionInput input,
                                                  const std::string& weights, c10::Device device);

}  // namespace wf
