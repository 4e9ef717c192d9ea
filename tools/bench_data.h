// Shared by the parts of wf_bench --data.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/data/loader.h"

#include "bench.h"
#include "data/dataset.h"
#include "data/transforms.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Every image below a directory (below its train/ if it has one), in order of their paths, at most
/// `most`. Throws wf::Error when there is none.
class AnyImages : public Dataset {
 public:
  AnyImages(const std::string& directory, int64_t most);
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int64_t label(int64_t) const override { return 0; }
  std::string name(int64_t i) const override { return files_[i]; }
  Encoded read(int64_t i) const override;

  double mean_bytes() const;

 private:
  std::vector<std::string> files_;
};

/// The training recipe of the original at the size of `options`; unless `augmented`, without color
/// changes and erasing.
Config bench_config(const BenchOptions& options, bool augmented);

std::unique_ptr<Loader> bench_loader(const BenchOptions& options,
                                     std::shared_ptr<const Dataset> images,
                                     std::unique_ptr<Transform> transform, bool train);

/// The fraction of a training step of --model that waits for images of the full recipe.
double share_of_waiting(const BenchOptions& options, std::shared_ptr<const Dataset> images);

}  // namespace wf
