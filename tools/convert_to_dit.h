#pragma once

#include <string>

namespace wf {

/// Writes the checkpoint `input` of wf_train, of an image generator, as DiT's and fast-DiT's
/// train.py save theirs: {model, ema, opt, args} and "steps", the number of optimizer steps. The
/// optimizer has one group with all parameters, the frozen pos_embed among them. `args` is a dict
/// of the settings, so that torch.load(weights_only=True) opens the file. Throws wf::Error.
void convert_to_dit(const std::string& input, const std::string& output);

}  // namespace wf
