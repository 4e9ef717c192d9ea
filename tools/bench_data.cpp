// wf_bench --data: how many images a core prepares, and whether a model waits for them.

#include "bench_data.h"

#include "data/image_reader.h"
#include "engine/classification/build.h"

#include <fmt/format.h>

#include <time.h>

#include <algorithm>
#include <iostream>

namespace wf {
namespace {

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Images per second of CPU time, the median of the passes after a warm-up pass.
double rate(const BenchOptions& o, Loader& loader) {
  std::vector<double> seconds;
  int64_t images = 0;
  for (int64_t pass = 0; pass <= o.passes; ++pass) {
    const double begin = cpu_seconds();
    images = 0;
    loader.start(pass);
    for (Batch batch; loader.next(batch);) images += batch.labels.size(0);
    if (pass > 0) seconds.push_back(cpu_seconds() - begin);
  }
  std::sort(seconds.begin(), seconds.end());
  return static_cast<double>(images) / seconds[seconds.size() / 2];
}

}  // namespace

Config bench_config(const BenchOptions& o, bool augmented) {
  Config config;
  if (o.size) config.data.img_size = o.size;
  if (!augmented) {
    config.aug.auto_augment = "none";
    config.aug.color_jitter = 0;
    config.aug.reprob = 0;
  }
  return config;
}

std::unique_ptr<Loader> bench_loader(const BenchOptions& o, std::shared_ptr<const Dataset> images,
                                     std::unique_ptr<Transform> transform, bool train) {
  LoaderOptions options;
  options.batch_size = o.data_batch;
  options.workers = static_cast<int>(o.workers);
  options.train = train;
  options.device = o.torch_device();
  const Sampler sampler(images->size(), /*shuffle=*/train, options.seed);
  return std::make_unique<Loader>(make_image_reader(std::move(images), std::move(transform)),
                                  sampler, options);
}

void bench_data(const BenchOptions& o) {
  WF_CHECK(o.images > 0 && o.passes > 0 && o.workers < 1024,
           "--images and --passes: at least 1; --workers: below 1024");
  const auto images = std::make_shared<AnyImages>(o.data, o.images);
  const auto plain = bench_config(o, false), augmented = bench_config(o, true);
  const auto measure = [&](std::unique_ptr<Transform> transform, bool train) {
    return rate(o, *bench_loader(o, images, std::move(transform), train));
  };
  const double crop = measure(build_train_transform(plain), true);
  const double recipe = measure(build_train_transform(augmented), true);
  const double eval = measure(build_eval_transform(plain), false);
  std::string line = fmt::format(
      R"({{"who": "weightformer", "images": {}, "size": {}, "workers": {}, "crop": {:.1f}, )"
      R"("recipe": {:.1f}, "eval": {:.1f}, "mb_per_s": {:.2f})",
      images->size(), plain.data.img_size, o.workers, crop, recipe, eval,
      crop * images->mean_bytes() / 1e6);
  if (o.model_given) {
    line += fmt::format(R"(, "model": "{}", "batch": {}, "data_wait": {:.4f})", o.model, o.batch,
                        share_of_waiting(o, images));
  }
  std::cout << line << "}" << std::endl;
}

}  // namespace wf
