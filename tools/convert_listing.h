// The listings and warnings of wf_convert.
#pragma once

#include "serialization/tensor_file.h"

#include <string>

namespace wf {

/// Prints the content of a file of torch.save or safetensors, one value per line, and verifies its
/// checksums. Throws wf::Error when it is neither or is damaged.
void list_file(const std::string& path);

/// Warns of the values of `file` that are neither tensors nor plain data and so cannot be
/// converted, and names the first. Throws wf::Error when it contains no tensor.
void warn_of_what_is_left_out(const TensorFile& file);

/// "optimizer" and "state" make "optimizer.state".
std::string child_path(const std::string& path, const std::string& name);

}  // namespace wf
