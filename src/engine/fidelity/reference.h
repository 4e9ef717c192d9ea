// What samples are compared with.
#pragma once

#include "engine/distributed.h"
#include "engine/fidelity/feature_network.h"
#include "engine/fidelity/image_set.h"
#include "metrics/feature_statistics.h"

#include <memory>
#include <string>

namespace wf {

/// The images at `path`: an .npz of images, an image file, or a directory, see image_files().
std::unique_ptr<ImageSet> open_image_set(const std::string& path);

/// Mean and covariance of the features at `path`: an .npz of statistics, which must have been made
/// by `network` as far as it tells, or the features of images, which all ranks share. Every rank
/// calls it. Throws wf::Error.
FeatureStatistics reference_statistics(const std::string& path, FeatureNetwork& network,
                                       Distributed& ranks);

}  // namespace wf
