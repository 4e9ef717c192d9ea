// Reports about runs, and images with their predictions. See --help.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "engine/report/report_page.h"
#include "report.h"
#include "tool.h"
#include "verify_run.h"

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include <filesystem>
#include <iostream>

namespace wf {

void save(const cv::Mat& image, const std::string& path) {
  WF_CHECK(cv::imwrite(path, image), path, ": cannot write");
  std::cout << path << "\n";
}

static void save(const std::string& text, const std::string& path) {
  write_text_file(path, text);
  std::cout << path << "\n";
}

struct Wanted {
  std::vector<std::string> runs;
  std::string metrics, predictions, output;
};

static void report(Wanted wanted) {
  WF_CHECK(!wanted.runs.empty() || !wanted.metrics.empty(),
           "nothing to report: give --html RUN, or --metrics FILE");
  if (wanted.output.empty() && wanted.runs.size() == 1) wanted.output = wanted.runs[0];
  WF_CHECK(!wanted.output.empty(), "--output is missing: the directory for the files");
  std::error_code problem;
  std::filesystem::create_directories(wanted.output, problem);
  WF_CHECK(!problem, wanted.output, ": ", problem.message());
  if (!wanted.runs.empty()) {
    std::vector<RunFiles> runs;
    for (const auto& run : wanted.runs) runs.push_back(read_run(run));
    save(report_page(runs), wanted.output + "/report.html");
  }
  if (!wanted.metrics.empty()) {
    save(learning_curve(read_metrics(wanted.metrics)), wanted.output + "/learning_curve.svg");
  }
  if (!wanted.predictions.empty()) {
    draw_contact_sheet(wanted.predictions, wanted.output + "/contact_sheet.png");
  }
}

}  // namespace wf

int main(int argc, char** argv) {
  wf::prepare_process(argv);
  CLI::App app(
      "Writes report.html about runs, learning_curve.svg from metrics.jsonl, and "
      "contact_sheet.png from the output of wf_infer --json; verifies that a run repeats.");
  return wf::run_tool(&app, [&] {
    wf::Wanted wanted;
    wf::VerifyOptions verify;
    app.add_option("--html", wanted.runs, "run directories: one is described, several compared");
    app.add_option("--metrics", wanted.metrics, "metrics.jsonl of a run");
    app.add_option("--predictions", wanted.predictions, "output of wf_infer --json");
    app.add_option("--output", wanted.output,
                   "directory for the files; with one run its own by default");
    app.add_option("--verify", verify.directory,
                   "run directory: trains again between two of its checkpoints, and compares");
    app.add_option("--opts", verify.opts, "--verify: KEY VALUE …, over the run's configuration");
    app.add_option("--seed", verify.seed, "--verify: chooses the checkpoints");
    app.parse(argc, argv);
    if (!verify.directory.empty()) return wf::verify_run(verify);
    // Unreadable images are reported by this program, in one line.
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    wf::report(std::move(wanted));
    return 0;
  });
}
