// Published sampling settings, and the record of those that were used.
#pragma once

#include "sample_files.h"

#include <string>
#include <vector>

namespace wf {

/// Makes the settings of `preset` those of the request; what is set on the command line comes
/// first. `images_given`: --images. Throws wf::Error for an unknown name.
void apply_preset(const std::string& preset, SampleModelRequest& model, SampleFiles& files,
                  bool images_given);

/// Writes directory/settings.json: every setting that changes a FID, and which of them differ from
/// the preset. Two of them are compared by wf_fid --explain. `codec`: null without --vae.
void write_sample_settings(const SampleModelRequest& request, const SampleModel& model,
                           const SampleFiles& files, const LatentCodec* codec);

}  // namespace wf
