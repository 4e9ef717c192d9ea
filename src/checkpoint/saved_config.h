#pragma once

#include "weightformer/config/config.h"
#include "weightformer/serialization/weights.h"

#include <string>

namespace wf {

/// `otherwise`, overlaid by `saved`. Keys and values that are unknown here, as in a file of the
/// reference implementation, are left out.
Config config_in(const Settings& saved, Config otherwise);

/// `config` with the model and the preprocessing of images that `weights` were trained with, for
/// each key that neither a configuration file nor the command line set. Logs, naming `source`,
/// which of the keys that were set differ from the file. Weights without a configuration are
/// recognized by their shapes.
Config evaluation_config(Config config, const Weights& weights, const std::string& source);

/// For --eval and --throughput the same with the weights that `config` names, MODEL.RESUME or
/// MODEL.PRETRAINED; for training, and without weights, `config`. --eval takes DATA.VAL_SPLIT and
/// SEED from the file too when the data has no validation set. Throws wf::Error.
Config evaluation_config(const Config& config);

}  // namespace wf
