// Inception-v3 as the Fréchet inception distance uses it.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <vector>

namespace wf {

class InceptionConvImpl;
class InceptionBlockImpl;

/// How images become the network's input. The two differ by more than rounding, so figures of one
/// cannot be compared with figures of the other.
enum class InceptionInput {
  /// ADM's evaluator, torch-fidelity and the original TensorFlow graph: TensorFlow 1's bilinear
  /// resizing, whose pixels have their corners and not their centers on the grid; (x - 128) / 128.
  tensorflow,
  /// pytorch-fid: PyTorch's bilinear resizing without antialiasing; 2 x / 255 - 1.
  pytorch,
};

/// The name in options and results: "tensorflow", "pytorch". parse throws wf::Error for another.
std::string to_string(InceptionInput input);
InceptionInput parse_inception_input(const std::string& name);

/// images: [B, 3, H, W] uint8, of any size → [B, 3, 299, 299] float32 on the same device.
at::Tensor inception_input(const at::Tensor& images, InceptionInput input);

/// What the metrics take from the network.
struct InceptionFeatures {
  at::Tensor pooled;   ///< [B, 2048]: FID, KID, precision and recall
  at::Tensor spatial;  ///< [B, 2023]: sFID; 17 x 17 positions of 7 channels, channels last
};

/// The network of the FID: Inception-v3 (Szegedy et al. 2015) as in TensorFlow's graph of
/// 2015-12-05, with 1,008 outputs. It differs from torchvision's in its pooling: averages leave the
/// padding out, and the last block takes a maximum. Parameters have the names of pytorch-fid's
/// pt_inception-2015-12-05 file, which torch-fidelity's shares. For inference only.
class InceptionImpl : public torch::nn::Module {
 public:
  InceptionImpl();

  /// x: [B, 3, H, W] from inception_input(), H and W 75 or more. `spatial` has 2,023 columns for
  /// 299 x 299; it is the first 7 channels of Mixed_6d.branch1x1, "mixed_6/conv" of the graph.
  InceptionFeatures forward(const at::Tensor& x);
  /// pooled: [B, 2048] → [B, 1008], without the bias, as the inception score has it.
  at::Tensor logits(const at::Tensor& pooled) const;

  /// Multiplies the normalization into the convolutions, for speed. To be called after the weights
  /// are loaded; the parameters are then no longer those of the file.
  void fold_norms();

  torch::nn::Linear fc{nullptr};

 private:
  at::Tensor stem(const at::Tensor& x);
  void add_conv(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                int64_t padding);
  void add_block(const std::string& name, std::shared_ptr<InceptionBlockImpl> block);

  std::vector<std::shared_ptr<InceptionConvImpl>> stem_;
  std::vector<std::shared_ptr<InceptionBlockImpl>> blocks_;
};
TORCH_MODULE(Inception);

}  // namespace wf
