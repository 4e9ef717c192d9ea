// The schemas of the operators wf::*, for the C++ library and for that of the Python wheel
// (kernels/stable/registration.cpp). Free of ATen. docs/operators.md explains them.
#pragma once

namespace wf {

constexpr const char* kOperatorSchemas[] = {
    "token_pool(Tensor x, SymInt height, SymInt width) -> Tensor",
    "token_pool_backward(Tensor grad, SymInt height, SymInt width) -> Tensor",

    "grid_pool3(Tensor x, SymInt height, SymInt width) -> Tensor",
    "grid_pool3_backward(Tensor grad, SymInt height, SymInt width) -> Tensor",

    "column_gain(Tensor gram, Tensor right, float scale) -> (Tensor, Tensor)",
    "column_gain_backward(Tensor grad, Tensor gram, Tensor right, Tensor norm, float scale) -> "
    "(Tensor, Tensor)",

    "dynamic_dwconv(Tensor x, SymInt height, SymInt width, Tensor? kernel, Tensor weight, "
    "Tensor bias, Tensor? shift=None, Tensor? scale=None, Tensor? gate=None, "
    "bool residual=False) -> Tensor",
    "dynamic_dwconv_backward(Tensor grad, Tensor x, SymInt height, SymInt width, Tensor? kernel, "
    "Tensor weight, Tensor bias, Tensor? shift=None, Tensor? scale=None, Tensor? gate=None, "
    "bool residual=False) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",

    "dynamic_linear(Tensor x, Tensor left, Tensor right, Tensor weight, Tensor bias, "
    "str mode='auto') -> (Tensor, Tensor, Tensor)",
    "dynamic_linear_backward(Tensor grad, Tensor x, Tensor left, Tensor right, Tensor weight, "
    "Tensor gained, Tensor norm, str mode='auto') -> (Tensor, Tensor, Tensor, Tensor, Tensor)",

    "layer_norm(Tensor x, Tensor? weight=None, Tensor? bias=None, Tensor? scale=None, "
    "Tensor? shift=None, Tensor? update=None, Tensor? gate=None, float eps=1e-06, "
    "ScalarType? dtype=None, bool keep_sum=True, Tensor? row_scale=None) -> "
    "(Tensor, Tensor, Tensor)",
    "layer_norm_backward(Tensor grad, Tensor? grad_sum, Tensor x, Tensor moments, "
    "Tensor? weight=None, Tensor? scale=None, Tensor? update=None, Tensor? gate=None, "
    "bool normalized=False, Tensor? row_scale=None, ScalarType? update_type=None) -> "
    "(Tensor, Tensor, Tensor, Tensor, Tensor)",
};

}  // namespace wf
