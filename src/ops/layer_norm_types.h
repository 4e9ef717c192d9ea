// Which dtypes the kernels of layer_norm combine, on all devices. Free of ATen.
#pragma once

#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

namespace wf {

/// The dtypes of a kernel. Tokens, update and result are of one dtype, or tokens are float32 and
/// the update a short one, as is the result or not.
template <typename T, typename U, typename Y>
struct NormTypes {
  using Tokens = T;
  using Update = U;
  using Result = Y;
};

inline bool is_short(torch::headeronly::ScalarType type) {
  using torch::headeronly::ScalarType;
  return type == ScalarType::Half || type == ScalarType::BFloat16;
}

/// The dtype that a kernel for tokens of the dtype `x` takes a tensor of the dtype `t` in.
inline torch::headeronly::ScalarType norm_type(torch::headeronly::ScalarType x,
                                               torch::headeronly::ScalarType t) {
  return x == torch::headeronly::ScalarType::Float && is_short(t) ? t : x;
}

/// visit(NormTypes<…>()); `update` and `result` are norm_type().
template <typename Visit>
void visit_norm_types(torch::headeronly::ScalarType x, torch::headeronly::ScalarType update,
                      torch::headeronly::ScalarType result, Visit visit) {
  using torch::headeronly::ScalarType;
  const auto with_short = [&](auto number) {
    using L = decltype(number);
    if (x != ScalarType::Float) return visit(NormTypes<L, L, L>());
    if (result != ScalarType::Float) return visit(NormTypes<float, L, L>());
    visit(NormTypes<float, L, float>());
  };
  const auto narrow = is_short(result) ? result : update;
  if (narrow == ScalarType::BFloat16) return with_short(torch::headeronly::BFloat16());
  if (narrow == ScalarType::Half) return with_short(torch::headeronly::Half());
  if (x == ScalarType::Double) return visit(NormTypes<double, double, double>());
  visit(NormTypes<float, float, float>());
}

}  // namespace wf
