// A checkpoint's tree as JSON, so that a safetensors file can hold all of it.
#pragma once

#include "serialization/tensor_file.h"

#include <string>

namespace wf {

/// Every tensor of `file` by its path ("optimizer.state.0.exp_avg"), and under metadata kTreeKey
/// the tree around them. Numbers, texts, lists, tuples and dicts come back exactly; opaque values
/// become None.
Safetensors to_safetensors(TensorFile& file);

/// The reverse: adds the nodes to `tree` and returns the root. Throws wf::Error naming `source`
/// when the metadata is not what to_safetensors makes.
const pickle::Value* from_safetensors(const Safetensors& content, TensorTree& tree,
                                      const std::string& source);

/// A copy of the tree of `file` in `tree`, in types that torch.load(weights_only=True) takes.
const pickle::Value* copy_tree(TensorFile& file, TensorTree& tree);

}  // namespace wf
