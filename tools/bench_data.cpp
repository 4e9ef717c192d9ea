// wf_bench --data: how many pictures a core makes ready, and whether a model has to wait for them.

#include "weightformer/data/loader.h"
#include "weightformer/models/model.h"
#include "weightformer/optim/optimizer.h"

#include "bench.h"
#include "core/stopwatch.h"
#include "data/image/decode.h"
#include "engine/build.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <time.h>

#include <filesystem>
#include <iostream>
#include <set>

namespace wf {
namespace {

namespace fs = std::filesystem;

// Every picture below a folder (below its train/ if it has one), in order of their paths. What
// they show does not matter here.
class AnyPictures : public Dataset {
 public:
  AnyPictures(const std::string& folder, int64_t most) {
    static const std::set<std::string> known{".jpg", ".jpeg", ".png", ".webp", ".bmp"};
    const auto root = fs::is_directory(folder + "/train") ? folder + "/train" : folder;
    std::error_code problem;
    for (fs::recursive_directory_iterator it(root, problem), end; !problem && it != end;
         it.increment(problem)) {
      if (known.count(it->path().extension().string())) files_.push_back(it->path().string());
    }
    WF_CHECK(!problem && !files_.empty(), "--data ", root, ": ",
             problem ? problem.message() : "no jpg, jpeg, png, webp or bmp in it");
    std::sort(files_.begin(), files_.end());
    if (size() > most) files_.resize(most);
  }
  int64_t size() const override { return static_cast<int64_t>(files_.size()); }
  int64_t label(int64_t) const override { return 0; }
  std::string name(int64_t i) const override { return files_[i]; }
  Encoded read(int64_t i) const override { return read_file(files_[i]); }

  double mean_bytes() const {
    double sum = 0;
    for (const auto& file : files_) sum += static_cast<double>(fs::file_size(file));
    return sum / static_cast<double>(size());
  }

 private:
  std::vector<std::string> files_;
};

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Config config_for(const BenchOptions& o, bool augmented) {
  Config config;
  if (o.size) config.data.img_size = o.size;
  if (!augmented) {
    config.aug.auto_augment = "none";
    config.aug.color_jitter = 0;
    config.aug.reprob = 0;
  }
  return config;
}

std::unique_ptr<Loader> make_loader(const BenchOptions& o, std::shared_ptr<const Dataset> pictures,
                                    std::unique_ptr<Transform> transform, bool train) {
  LoaderOptions options;
  options.batch_size = o.data_batch;
  options.workers = static_cast<int>(o.workers);
  options.train = train;
  options.device = o.torch_device();
  Sampler sampler(pictures->size(), /*shuffle=*/train, options.seed);
  return std::make_unique<Loader>(std::move(pictures), std::move(transform), std::move(sampler),
                                  options);
}

// Pictures per second of CPU time, the median of the passes; one before them is not counted.
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

// The share of a training step that goes by waiting for pictures of the full recipe.
double share_of_waiting(const BenchOptions& o, std::shared_ptr<const Dataset> pictures) {
  const auto device = o.torch_device();
  const auto model = create_classifier(o.model);
  model->to(device);
  model->train();
  auto sized = o;
  sized.size = o.size ? o.size : model->image_size();
  sized.data_batch = o.batch;
  const auto loader =
      make_loader(sized, std::move(pictures), build_train_transform(config_for(sized, true)), true);
  const auto optimizer = make_optimizer({}, param_groups(*model, 0.01));
  double waited = 0, seconds = 0;
  int64_t epoch = 0;
  Batch batch;
  loader->start(epoch);
  for (int64_t step = 0; step < o.warmup + o.steps; ++step) {
    const Stopwatch begin;
    while (!loader->next(batch)) loader->start(++epoch);
    const double wait = begin.seconds();
    optimizer->zero_grad();
    const auto logits = model->forward(batch.images.to(device)).to(torch::kFloat);
    at::cross_entropy_loss(logits, batch.labels.to(device)).backward();
    optimizer->step(1e-4);
    synchronize(device);
    if (step < o.warmup) continue;
    waited += wait;
    seconds += begin.seconds();
  }
  return waited / seconds;
}

}  // namespace

void bench_data(const BenchOptions& o) {
  WF_CHECK(o.images > 0 && o.passes > 0 && o.workers < 1024,
           "--images and --passes: at least 1; --workers: below 1024");
  const auto pictures = std::make_shared<AnyPictures>(o.data, o.images);
  const auto plain = config_for(o, false);
  const double crop =
      rate(o, *make_loader(o, pictures, build_train_transform(plain), /*train=*/true));
  const double recipe =
      rate(o, *make_loader(o, pictures, build_train_transform(config_for(o, true)), true));
  const double eval = rate(o, *make_loader(o, pictures, build_eval_transform(plain), false));
  std::string line = fmt::format(
      R"({{"who": "weightformer", "images": {}, "size": {}, "workers": {}, "crop": {:.1f}, )"
      R"("recipe": {:.1f}, "eval": {:.1f}, "mb_per_s": {:.2f})",
      pictures->size(), plain.data.img_size, o.workers, crop, recipe, eval,
      crop * pictures->mean_bytes() / 1e6);
  if (o.model_given) {
    line += fmt::format(R"(, "model": "{}", "batch": {}, "data_wait": {:.4f})", o.model, o.batch,
                        share_of_waiting(o, pictures));
  }
  std::cout << line << "}" << std::endl;
}

}  // namespace wf
