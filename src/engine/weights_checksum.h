#pragma once

#include <torch/nn/module.h>

#include <string>

namespace wf {

/// CRC-32 of the names and values of all parameters and buffers, in hexadecimal: whether two
/// results are of the same weights.
std::string weights_checksum(const torch::nn::Module& model);

}  // namespace wf
