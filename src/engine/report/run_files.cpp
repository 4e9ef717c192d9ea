#include "engine/report/run_files.h"

#include "weightformer/core/check.h"

#include "config/load.h"
#include "core/atomic_file.h"
#include "engine/image_file.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace wf {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void sort_lines(const std::string& path, RunFiles& run) {
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot be read: is this the directory of a run?");
  int number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    auto line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() && in.peek() == EOF) break;
    WF_CHECK(line.is_object(), path, ":", number, ": not a JSON object");
    const bool epoch = line.contains("train_loss"), step = !epoch && line.contains("loss");
    if (!step) run.validated.push_back(line);
    if (epoch) run.epochs.push_back(line);
    if (step) run.steps.push_back(std::move(line));
  }
  WF_CHECK(!run.steps.empty() || !run.validated.empty(), path, ": the file is empty");
}

// Small images are stored exactly.
std::string data_url(const at::Tensor& image, const std::string& name) {
  const bool png = image.numel() < 4096;
  return image_url(image, png ? ImageFormat::png : ImageFormat::jpeg, name);
}

}  // namespace

RunFiles read_metrics(const std::string& path) {
  RunFiles run;
  sort_lines(path, run);
  return run;
}

RunFiles read_run(const std::string& directory) {
  auto run = read_metrics(directory + "/metrics.jsonl");
  const auto path = fs::weakly_canonical(directory);
  run.name = path.parent_path().filename().string() + "/" + path.filename().string();
  if (fs::exists(directory + "/config.yaml")) {
    run.settings = all_settings(load_config(directory + "/config.yaml"));
  }
  std::ifstream in(directory + "/validation.json");
  if (in) {
    run.validation = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
    WF_CHECK(run.validation.is_object(), directory, "/validation.json: not a JSON object");
  }
  return run;
}

void write_validation_file(const std::string& directory, const ValidationDetails& details,
                           int64_t epoch, int64_t step) {
  Json out;
  out["epoch"] = epoch;
  out["step"] = step;
  out["classes"] = details.classes;
  auto cells = Json::array();
  if (details.confusion.defined()) {
    const auto table = details.confusion.contiguous();
    const auto* counts = table.data_ptr<int64_t>();
    const int64_t classes = table.size(0);
    for (int64_t i = 0; i < classes * classes; ++i) {
      if (counts[i] != 0) cells.push_back({i / classes, i % classes, counts[i]});
    }
  }
  out["confusion"] = std::move(cells);
  auto worst = Json::array();
  for (const auto& sample : details.worst) {
    worst.push_back({{"name", sample.name},
                     {"truth", sample.truth},
                     {"predicted", sample.predicted},
                     {"loss", sample.loss},
                     {"probability", sample.probability},
                     {"image", data_url(sample.image, sample.name)}});
  }
  out["worst"] = std::move(worst);
  // Names of files need not be UTF-8.
  write_text_file(directory + "/validation.json",
                  out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

double number_at(const Json& line, const std::string& key) {
  const auto found = line.find(key);
  return found == line.end() || !found->is_number() ? std::nan("") : found->get<double>();
}

}  // namespace wf
