// From the configuration to the images and loaders that tasks share.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/data/loader.h"

#include "data/sources/open_dataset.h"
#include "engine/tasks.h"

#include <memory>
#include <string>

namespace wf {

/// DATA.* as an image source. Throws wf::Error when DATA.DATA_PATH is not set.
DataSourceOptions data_source(const DataConfig& data, const LaunchEnv& env);

/// Batches of this rank's part of `reader`. Training: shuffled, and every rank has as many batches,
/// without the last few samples that do not fill one.
std::unique_ptr<Loader> build_loader(const Config& config,
                                     std::shared_ptr<const SampleReader> reader, bool train,
                                     const TaskRequest& request);

/// open_dataset() on every rank, with require_same_on_all_ranks(). Only rank 0 reads tar files
/// through for their index; the others wait, and then use the file that it kept.
/// `ranks` may be null. `what`: "training set", for messages.
std::shared_ptr<Dataset> open_on_all_ranks(const std::string& what, const DataSourceOptions& source,
                                           const std::string& split,
                                           const std::vector<std::string>& classes,
                                           Distributed* ranks);

/// Throws wf::Error on every rank when the ranks do not have the same images under the same names.
/// `ranks` may be null.
void require_same_on_all_ranks(const std::string& what, const Dataset& images, Distributed* ranks);

}  // namespace wf
