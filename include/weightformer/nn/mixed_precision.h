// The dtypes that the networks compute in.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace wf {

/// The dtype of the tokens between layers, that is of the residual stream.
enum class TokenType {
  float32,
  products,  ///< that of matrix products
  autocast   ///< what PyTorch's autocast makes of the published order; depends on the device
};

/// Dtypes of mixed precision. Norms, sums and losses are float32 in any case.
struct Precision {
  // NOLINTNEXTLINE(google-explicit-constructor): most callers choose only the first dtype
  Precision(at::ScalarType products, TokenType tokens = TokenType::float32)
      : products(products), tokens(tokens) {}

  at::ScalarType products;  ///< of matrix products and convolutions: bfloat16 or float16
  TokenType tokens;
};

/// Mixed precision during its lifetime, in this thread; without a Precision everything is computed
/// in the dtype of the weights. The layers of this library cast their operands themselves, so that
/// every device, Meta included, computes in the same dtypes; PyTorch's autocast is enabled for all
/// other code, such as networks of other programs.
class MixedPrecision {
 public:
  MixedPrecision(const std::optional<Precision>& precision, c10::DeviceType device);
  ~MixedPrecision();
  MixedPrecision(const MixedPrecision&) = delete;
  MixedPrecision& operator=(const MixedPrecision&) = delete;

  /// What applies to tensors on `device` now: where a program enabled PyTorch's autocast itself,
  /// its dtype and TokenType::autocast.
  static std::optional<Precision> current(c10::DeviceType device);

 private:
  c10::DeviceType device_;
  std::optional<std::optional<Precision>> before_;
  std::optional<bool> enabled_before_;  // none: the device has no autocast
  at::ScalarType dtype_before_ = at::kFloat;
};

}  // namespace wf
