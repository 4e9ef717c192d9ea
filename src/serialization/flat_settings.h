#pragma once

#include "weightformer/serialization/settings.h"

#include "serialization/pickle.h"

namespace wf {

/// The configuration in a checkpoint, nested dicts (also yacs' CfgNode) of plain values, by dotted
/// keys. What lies deeper or is longer than any configuration is left out: a file decides both.
Settings flat_settings(const pickle::Value& tree);

}  // namespace wf
