// Looks for what keeps a run from working on this machine. See --help and docs/training.md.

#include "config/load.h"
#include "engine/build_data.h"
#include "engine/doctor/finding.h"
#include "tool.h"

#include <fmt/format.h>

#include <iostream>

namespace {

using namespace wf;

struct Arguments {
  std::string cfg, data_path, output = "output";
  std::vector<std::string> opts;
  int64_t samples = 64;
};

// Without a configuration: any images in their classes.
Config config_of(const Arguments& a) {
  auto config = load_config(a.cfg, a.opts);
  if (!a.data_path.empty()) config.data.data_path = a.data_path;
  config.data.cache_listing = false;
  if (!a.cfg.empty() || config.data.data_path.empty()) return config;
  config.model.name = "wfm_nano";
  config.data.batch_size = 1;
  try {
    const auto train = open_dataset(data_source(config.data, {}), "train");
    config.model.num_classes = static_cast<int64_t>(train->classes().size());
  } catch (const Error&) {  // check_data() reports it
  }
  return config;
}

// 1 when something is wrong.
int print(const Findings& findings) {
  int code = 0;
  for (const auto& [severity, topic, what, advice] : findings) {
    const char* mark = severity == Severity::fine      ? "ok"
                       : severity == Severity::warning ? "WARNING"
                                                       : "FAULT";
    std::cout << fmt::format("{:<8} {:<14} {}\n", mark, topic, what);
    if (severity == Severity::fine) continue;
    std::cout << fmt::format("{:<8} {:<14} -> {}\n", "", "", advice);
    code = 1;
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app(
      "Checks the machine, the output directory and the data before a run. Exit code 0: "
      "nothing is wrong; 1: a warning or a fault.",
      "wf_doctor");
  return run_tool(&app, [&] {
    Arguments a;
    app.add_option("--cfg", a.cfg, "configuration of the run, YAML; its data is checked for it");
    app.add_option("--opts", a.opts, "KEY VALUE …: override keys of the configuration");
    app.add_option("--data-path", a.data_path, "data to check, as of wf_train");
    app.add_option("--output", a.output, "parent directory of runs (output)")->take_last();
    app.add_option("--samples", a.samples, "training samples to read (64)")
        ->check(CLI::PositiveNumber);
    app.parse(argc, argv);
    const auto config = config_of(a);
    if (config.threads > 0) set_threads(static_cast<int>(config.threads), /*processes=*/1);
    auto findings = check_machine();
    for (auto& finding : check_output(a.output)) findings.push_back(std::move(finding));
    if (!config.data.data_path.empty()) {
      for (auto& finding : check_data(config, a.samples)) findings.push_back(std::move(finding));
    }
    return print(findings);
  });
}
