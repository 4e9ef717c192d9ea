#pragma once

#include "weightformer/serialization/settings.h"

#include "serialization/pickle.h"

namespace wf {

/// The configuration in a checkpoint, nested dicts (also yacs' CfgNode) of plain values, by dotted
/// keys. Levels, keys and text beyond those of any real configuration are dropped,
/// since the file may be malicious.
Settings flat_settings(const pickle::Value& tree);

}  // namespace wf
