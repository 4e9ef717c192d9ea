// Trains, evaluates or times a classifier: wf_train --cfg FILE. See --help and docs/config.md.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "checkpoint/checkpoint_observer.h"
#include "checkpoint/resume.h"
#include "config/command_line.h"
#include "config/describe.h"
#include "core/atomic_file.h"
#include "data/device_batch.h"
#include "dist/launch_env.h"
#include "engine/build.h"
#include "engine/classification/evaluation_report.h"
#include "runtime/folder_lock.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"
#include "tool.h"

#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>

namespace {

using namespace wf;

void say_evaluation(const Evaluation& result) {
  log::info("evaluation: top-1 {:.3f} %, top-5 {:.3f} %, loss {:.4f}, {} pictures, {} unreadable",
            result.acc1, result.acc5, result.loss, result.images, result.unreadable);
  if (!std::isfinite(result.loss)) log::warning("evaluation: the model's outputs are not finite");
  nlohmann::ordered_json line;  // writes null for what is not finite
  line["val_acc1"] = result.acc1;
  line["val_acc5"] = result.acc5;
  line["val_loss"] = result.loss;
  line["images"] = result.images;
  line["unreadable"] = result.unreadable;
  if (result.real_images > 0) {
    line["real_acc1"] = result.real_acc1;
    line["real_images"] = result.real_images;
  }
  std::cout << line.dump() << std::endl;
}

// What a process works with.
struct Job {
  const Config& config;
  LaunchEnv env;
  c10::Device device;
  std::shared_ptr<Distributed> distributed;
  std::shared_ptr<Classifier> model;
  std::string folder;
};

int evaluate_or_time(const Job& job) {
  const auto& config = job.config;
  const auto& model = job.model;
  const std::string file =
      config.model.resume.empty() ? config.model.pretrained : config.model.resume;
  std::vector<std::string> classes;
  if (!file.empty()) {
    // The numbering that the model was trained with.
    classes = load_weights(config, *model, file, WeightsFor::evaluation);
  }
  const auto loaders = build_validation_loader(config, std::move(classes), job.env);
  EvaluateOptions options;
  options.device = job.device;
  options.amp = build_amp(config);
  if (config.eval_mode) {
    options.confusion = true;
    if (!loaders.real_labels.empty()) options.real_labels = &loaders.real_labels;
    if (job.env.world > 1) options.sum = [&](at::Tensor& tensor) { job.distributed->sum(tensor); };
    const auto result = evaluate(*model, *loaders.validation, options);
    job.distributed->on_root("report", [&] {
      write_evaluation(job.folder, result, loaders.classes);
      say_evaluation(result);
    });
    return 0;
  }
  Batch batch;
  loaders.validation->start(0);
  WF_CHECK(loaders.validation->next(batch), config.data.data_path, "/val holds no picture");
  const double speed = throughput(*model, model_input(batch, job.device), options);
  log::info("throughput: {:.1f} images/s at batch {}", speed, batch.images.size(0));
  std::cout << fmt::format("{{\"images_per_s\": {}, \"batch\": {}}}\n", speed,
                           batch.images.size(0));
  return 0;
}

int train(const Job& job) {
  const auto& config = job.config;
  const auto& folder = job.folder;
  const auto loaders = build_loaders(config, job.env);
  auto state = build_train_state(config, job.model, loaders, job.env.world);
  std::optional<FolderLock> lock;
  job.distributed->on_root("checkpoint reading", [&] {
    lock.emplace(folder);
    resume(config, folder, state);
  });
  job.distributed->share(state);
  const int64_t epochs = config.train.total_epochs();
  if (state.progress.epoch >= epochs) {
    log::warning(
        "nothing was trained: {} epochs are done, and TRAIN.EPOCHS makes {}; raise it, or start "
        "from the weights with --pretrained and another --tag",
        state.progress.epoch, epochs);
    job.distributed->on_root("end", [] {});  // all have heard before one goes
    return 0;
  }
  Trainer trainer(state, *loaders.train, *loaders.validation,
                  build_trainer_options(config, job.device, job.distributed));
  // A run that was refused above must not change what the folder says of the one in it.
  if (job.distributed->is_root()) write_text_file(folder + "/config.yaml", dump_yaml(config));
  trainer.add(std::make_shared<ConsoleObserver>(config.print_freq));
  trainer.add(std::make_shared<MetricsObserver>(folder + "/metrics.jsonl"));
  CheckpointOptions saving;
  saving.save_freq = config.save_freq;
  saving.save_steps = config.save_steps;
  saving.keep = static_cast<size_t>(config.save_keep);
  saving.world = job.env.world;
  trainer.add(std::make_shared<CheckpointObserver>(folder, saving));
  catch_stop_signals(/*announce=*/job.distributed->is_root());
  const Stopwatch watch;
  if (trainer.run() == Outcome::stopped) {
    log::info("stopped after {}; the same command resumes", clock_time(watch.seconds()));
    return 0;
  }
  log::info("finished in {}: best top-1 {:.2f} %{}, in {}", clock_time(watch.seconds()),
            state.progress.max_accuracy,
            state.progress.best_averaged ? " (averaged weights: TEST.EMA)" : "", folder);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  return wf::run_tool(nullptr, [&] {
    const auto arguments = parse_train_arguments(argc, argv);
    if (!arguments.help.empty()) return std::cout << arguments.help, 0;
    const auto& config = arguments.config;
    if (arguments.print_config) return std::cout << dump_yaml(config), 0;
    const auto env = read_launch_env();
    WF_CHECK(env.world == 1 || !config.throughput_mode, "WORLD_SIZE=", env.world,
             ": --throughput times one process");
    const bool training = !config.eval_mode && !config.throughput_mode;
    if (training) build_train_transform(config);  // an invalid policy must not leave a directory
    const std::string folder = run_folder(config);
    std::error_code problem;
    std::filesystem::create_directories(folder, problem);
    WF_CHECK(!problem, folder, ": cannot make the run's folder (--output): ", problem.message());
    if (env.rank > 0) log::only_errors_on_terminal();
    log::open(env.rank == 0 ? folder + "/log.txt" : str(folder, "/log_rank_", env.rank, ".txt"));
    if (config.threads > 0) at::set_num_threads(static_cast<int>(config.threads));
    torch::manual_seed(static_cast<uint64_t>(config.seed));
    const auto device = build_device(config, env);
    const Job job{config,
                  env,
                  device,
                  build_distributed(config, env, device),
                  build_classifier(config, device),
                  folder};
    log::info("{} on {}, {} threads, rank {} of {}, run folder {}", config.model.name, device.str(),
              at::get_num_threads(), env.rank, env.world, folder);
    if (!config.amp && config.origins.count("AMP_DTYPE")) {
      log::warning("AMP_DTYPE {} has no effect without --amp", name_of(config.amp_dtype));
    }
    if (config.test.ema && !config.eval_mode) {
      log::warning("TEST.EMA true has no effect without --eval");
    }
    return training ? train(job) : evaluate_or_time(job);
  });
}
