#include "engine/tensorboard/tensorboard_observer.h"

#include "config/describe.h"
#include "core/text.h"
#include "engine/image_file.h"
#include "engine/tensorboard/event.h"
#include "runtime/log.h"

#include <ATen/CPUGeneratorImpl.h>

#include <chrono>
#include <map>
#include <protozero/exception.hpp>
#include <sstream>

namespace wf {
namespace {

using Scalars = std::vector<std::pair<std::string, double>>;

double now() {
  using std::chrono::duration;
  return duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void put(Scalars& scalars, const std::string& prefix, const Metrics& metrics) {
  for (const auto& metric : metrics) scalars.emplace_back(prefix + metric.spec->name, metric.value);
}

std::string validation_event(int64_t step, const ValidationReport& report) {
  Scalars scalars;
  put(scalars, "val/", report.trained);
  for (size_t i = 0; i < report.ema.size(); ++i) {
    put(scalars, i == 0 ? "val_ema/" : fmt::format("val_ema{}/", i + 1), report.ema[i]);
  }
  return scalar_event({now(), step}, scalars);
}

// Indented, which is Markdown for text that is shown as it is.
std::string as_markdown(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) out += "    " + line + "\n";
  return out;
}

// Whether a run at `progress`, the step of the event, will not write it again.
bool keeps(const EventSummary& event, const Progress& progress) {
  if (starts_with(event.tag, "train/")) return true;
  if (starts_with(event.tag, "val")) return progress.validated_step == progress.step;
  return starts_with(event.tag, "epoch/") && progress.batch == 0;
}

}  // namespace

void TensorboardObserver::on_start(const TrainState& state) {
  const auto earlier = event_files(directory_);
  file_ = std::make_unique<EventFile>(next_event_file(directory_, static_cast<int64_t>(now())));
  file_->write(version_event(now()));
  if (!earlier.empty()) resume(earlier, state.progress);
  if (earlier.empty() || state.progress.step == 0) describe_run(state);
}

// TensorBoard drops events by their step only, so it drops those of this step too, and the ones
// that will not be repeated are copied.
void TensorboardObserver::resume(const std::vector<std::string>& earlier,
                                 const Progress& progress) {
  file_->write(start_event({now(), progress.step}));
  if (progress.step == 0) return;
  std::map<std::string, std::string> kept;  // by tag: the newest
  for (const auto& path : earlier) {
    for (auto& bytes : read_event_file(path)) {
      try {
        const auto event = read_event(bytes);
        if (event.step == progress.step && keeps(event, progress)) {
          kept[event.tag] = std::move(bytes);
        }
      } catch (const protozero::exception&) {
        continue;  // of another program
      }
    }
  }
  for (const auto& [tag, bytes] : kept) file_->write(bytes);
}

void TensorboardObserver::describe_run(const TrainState& state) {
  const EventTime start{now(), 0};
  file_->write(text_event(start, "config", as_markdown(dump_yaml(state.config))));
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& setting : all_settings(state.config)) {
    const bool trains = setting.scope == Scope::training || setting.scope == Scope::evaluation;
    if (trains) settings.emplace_back(setting.name, setting.value);
  }
  const auto& config = state.config;
  file_->write(hparams_event(start, config.model.name + "/" + config.tag, settings));
  write_sheet();
}

// A problem with the sheet, such as data that cannot be read, is the business of training.
void TensorboardObserver::write_sheet() try {
  const auto image = sheet_ ? sheet_() : at::Tensor();
  if (!image.defined()) return;
  file_->write(image_event({now(), 0}, "augmented",
                           {image.size(1), image.size(2), image.size(0),
                            encode_image(image, ImageFormat::png, directory_)}));
} catch (const std::exception& problem) {
  log::warning("no sheet of training samples for TensorBoard: {}", problem.what());
}

void TensorboardObserver::on_step(const TrainState& state, const StepReport& report) {
  if (!report.has_loss) return;
  Scalars scalars{
      {"train/loss", report.window_loss},    {"train/lr", report.lr},
      {"train/grad_norm", report.grad_norm}, {"train/images_per_s", report.images_per_s},
      {"train/data_wait", report.data_wait}, {"train/memory_mib", report.memory_mib}};
  if (state.scaler) scalars.emplace_back("train/loss_scale", state.scaler->current());
  put(scalars, "train/", report.metrics);
  file_->write(scalar_event({now(), report.step}, scalars));
}

void TensorboardObserver::on_validation(const TrainState& state, const ValidationReport& report) {
  file_->write(validation_event(state.progress.step, report));
}

void TensorboardObserver::on_epoch_end(const TrainState& state, const EpochReport& report) {
  const EventTime time{now(), state.progress.step};
  if (report.validation) file_->write(validation_event(time.step, *report.validation));
  file_->write(scalar_event(time, {{"epoch/train_loss", report.train_loss},
                                   {"epoch/lr", report.lr},
                                   {"epoch/images_per_s", report.images_per_s},
                                   {"epoch/data_wait", report.data_wait},
                                   {"epoch/train_unreadable", report.unreadable}}));
  if (report.last) file_->write(hparams_end_event(time));
}

at::Tensor augmented_sheet(const Task& task, const Loader& train, uint64_t seed) {
  constexpr int64_t kSamples = 32, kColumns = 8, kSide = 112;
  const int64_t size = train.reader().size(), count = std::min(kSamples, size);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  const StepRng rng(seed, 0, at::detail::createCPUGenerator());
  const auto images = task.displayed(train.read(indices), rng);
  return images.defined() ? tile(shrink(images, kSide), kColumns) : images;
}

}  // namespace wf
