// Draws the learning curve of a run, and images with their predictions. See --help.

#include "weightformer/core/check.h"

#include "report.h"
#include "tool.h"

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include <filesystem>
#include <iostream>

namespace wf {

void save(const cv::Mat& image, const std::string& path) {
  WF_CHECK(cv::imwrite(path, image), path, ": cannot write");
  std::cout << path << "\n";
}

}  // namespace wf

int main(int argc, char** argv) {
  CLI::App app(
      "Draws learning_curve.png from metrics.jsonl and contact_sheet.png from the "
      "output of wf_infer --json.");
  return wf::run_tool(&app, [&] {
    std::string metrics, predictions, output;
    app.add_option("--metrics", metrics, "metrics.jsonl of a run")->required();
    app.add_option("--predictions", predictions, "output of wf_infer --json");
    app.add_option("--output", output, "directory for the images")->required();
    app.parse(argc, argv);
    // Unreadable images are reported by this program, in one line.
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    std::error_code problem;
    std::filesystem::create_directories(output, problem);
    WF_CHECK(!problem, output, ": ", problem.message());
    wf::draw_learning_curve(metrics, output + "/learning_curve.png");
    if (!predictions.empty()) wf::draw_contact_sheet(predictions, output + "/contact_sheet.png");
    return 0;
  });
}
