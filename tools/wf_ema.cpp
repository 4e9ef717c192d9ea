// Makes EMAs of any width from the snapshots of a run. See --help and docs/diffusion.md.

#include "weightformer/core/check.h"

#include "checkpoint/ema_snapshots.h"
#include "tool.h"

#include <fmt/format.h>

#include <iostream>

using namespace wf;

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app(
      "Makes EMA weights of any width from the snapshots that a run wrote with "
      "TRAIN.EMA_SNAPSHOT_STEPS.",
      "wf_ema");
  return run_tool(&app, [&] {
    std::string run, output;
    std::vector<double> widths;
    int64_t step = 0;
    bool allow_missing = false;
    app.add_option("RUN", run, "directory of the run")->required();
    app.add_option("--std", widths, "relative widths, above 0 to 0.28: 0.05 0.075")->required();
    app.add_option("--step", step, "as of this step; default: the last snapshot")
        ->check(CLI::PositiveNumber);
    app.add_option("--output", output,
                   "directory for ema_STD.safetensors; default: that of the run");
    app.add_flag("--allow-missing", allow_missing, "although snapshots are missing");
    app.parse(argc, argv);
    const auto snapshots = list_ema_snapshots(run, step, allow_missing);
    for (const double std : widths) {
      const auto path = fmt::format("{}/ema_{}.safetensors", output.empty() ? run : output, std);
      const auto made = reconstruct_ema(snapshots, std, path);
      std::cout << fmt::format("{}: of {} snapshots to step {}, error of the profile {:.2g} %\n",
                               path, made.files, snapshots.back().step, 100 * made.error);
      constexpr double kLarge = 0.05;
      if (made.error > kLarge) {
        log::warning(
            "{}: its profile is only near that of width {}; snapshots at more steps, or "
            "widths nearer to it, would be better",
            path, std);
      }
    }
    return 0;
  });
}
