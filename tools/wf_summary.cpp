// Lists the layers of a model and what it costs. See --help.

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "engine/model_cost.h"
#include "engine/tasks.h"
#include "tool.h"

#include <fmt/format.h>

#include <iostream>

namespace {

using namespace wf;

struct Arguments {
  std::string weights, cfg;
  std::vector<std::string> opts;
  int64_t depth = 1;
};

int64_t count_of(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const auto& parameter : module.parameters()) count += parameter.numel();
  return count;
}

// "wf::BlockImpl" is a Block.
std::string kind_of(const torch::nn::Module& module) {
  auto name = module.name();
  name = name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
  const auto end = name.rfind("Impl");
  return end == std::string::npos || end == 0 ? name : name.substr(0, end);
}

void list_layers(const torch::nn::Module& module, const std::string& path, int64_t levels,
                 int64_t total) {
  const auto line = [&](const std::string& name, const std::string& kind, int64_t count) {
    std::cout << fmt::format("{:<34} {:<18} {:>13} {:>6.1f} %\n", name, kind, count,
                             100.0 * static_cast<double>(count) / static_cast<double>(total));
  };
  for (const auto& own : module.named_parameters(/*recurse=*/false)) {
    line(path + own.key(), "parameter", own.value().numel());
  }
  for (const auto& child : module.named_children()) {
    const auto name = path + child.key();
    const auto count = count_of(*child.value());
    if (count == 0) continue;
    const bool parts = levels > 1 && !child.value()->children().empty();
    if (parts) {
      list_layers(*child.value(), name + ".", levels - 1, total);
    } else {
      line(name, kind_of(*child.value()), count);
    }
  }
}

int summarize(const Arguments& a) {
  auto config = load_config(a.cfg, a.opts);
  if (!a.weights.empty()) {
    config =
        evaluation_config(config, read_weights(a.weights, {false, Checksums::never}), a.weights);
  }
  const auto& task = tasks().at(config.model.type);
  const auto model = task.model(config, c10::kCPU);
  const auto count = count_of(*model);
  list_layers(*model, "", a.depth, count);
  const auto cost = model_cost(*model, task.forward(config, *model, 1));
  const auto emas = config.train.ema_decay.size() + config.train.ema_std.size();
  const bool adam = config.train.optimizer.name == OptimizerKind::adamw;
  const auto copies = static_cast<double>(2 + (adam ? 2 : 1) + emas);
  const double mib = 4.0 * static_cast<double>(count) / (1 << 20);
  std::cout << fmt::format("{}, {} x {}: {}\n", config.model.name, config.data.img_size,
                           config.data.img_size, cost.show());
  std::cout << fmt::format(
      "weights {:.1f} MiB; in training {:.1f} MiB with gradients, the moments of {} and {} EMAs, "
      "before activations\n",
      mib, copies * mib, name_of(config.train.optimizer.name), emas);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  wf::prepare_process(argv);
  CLI::App app("Lists the layers of a model with their parameters, and what it costs.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.add_option("weights", a.weights, "weights or a checkpoint, which know their model");
    app.add_option("--cfg", a.cfg, "configuration of the model, YAML");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_option("--depth", a.depth, "levels of layers to list")->check(CLI::PositiveNumber);
    app.parse(argc, argv);
    return summarize(a);
  });
}
