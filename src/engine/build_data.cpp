#include "engine/build_data.h"

#include "weightformer/core/check.h"

#include "data/sources/describe_dataset.h"
#include "engine/distributed.h"

#include <algorithm>
#include <utility>

namespace wf {

DataSourceOptions data_source(const DataConfig& data, const LaunchEnv& env) {
  WF_CHECK(!data.data_path.empty() || !data.train.empty() || !data.val.empty(),
           "DATA.DATA_PATH is not set: give --data-path DIRECTORY, which holds train/CLASS/* and "
           "val/CLASS/*");
  DataSourceOptions source;
  source.path = data.data_path;
  source.dataset = data.dataset;
  source.train = {data.train, data.train_labels, data.train_subset};
  source.val = {data.val, data.val_labels, data.val_subset};
  source.class_map = data.class_map;
  source.zip = data.zip_mode;
  source.cache_listing = data.cache_listing;
  source.cache.mode = data.cache_mode;
  source.cache.rank = env.rank;
  source.cache.world = env.world;
  return source;
}

// Ranks that train must take the same number of steps, so their parts are even.
std::unique_ptr<Loader> build_loader(const Config& config,
                                     std::shared_ptr<const SampleReader> reader, bool train,
                                     const TaskRequest& request) {
  LoaderOptions options;
  options.batch_size = config.data.batch_size;
  options.workers = static_cast<int>(config.data.num_workers);
  options.train = train;
  options.drop_last = train;
  options.seed = static_cast<uint64_t>(config.seed);
  options.device = request.device;
  options.pin_memory = config.data.pin_memory;
  const int64_t repeats = train ? std::max<int64_t>(1, config.aug.repeated) : 1;
  const Sampler sampler(reader->size(), /*shuffle=*/train, options.seed, request.env.rank,
                        request.env.world, repeats, /*even=*/train);
  return std::make_unique<Loader>(std::move(reader), sampler, options);
}

std::shared_ptr<Dataset> open_on_all_ranks(const std::string& what, const DataSourceOptions& source,
                                           const std::string& split,
                                           const std::vector<std::string>& classes,
                                           Distributed* ranks) {
  std::shared_ptr<Dataset> images;
  if (ranks && ranks->world() > 1 && !ranks->simulated() && is_in_tars(source, split)) {
    ranks->on_root("reading tar files for their index", [&] {
      try {
        images = open_dataset(source, split, classes);
      } catch (const Error&) {
        // Every rank opens it below and reports what is wrong.
      }
    });
  }
  if (!images) images = open_dataset(source, split, classes);
  require_same_on_all_ranks(what, *images, ranks);
  return images;
}

// Ranks with other class directories would train on other labels, and without the same number of
// images they would wait forever for each other's gradients.
void require_same_on_all_ranks(const std::string& what, const Dataset& images, Distributed* ranks) {
  if (!ranks || ranks->world() == 1) return;
  ranks->require_equal(what, describe_dataset(images),
                       "give all ranks the same data (DATA.DATA_PATH)");
}

}  // namespace wf
