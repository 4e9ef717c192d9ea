#include "weightformer/core/check.h"

#include "config/describe.h"
#include "core/registry.h"
#include "core/stopwatch.h"
#include "engine/diffusion/build.h"
#include "engine/diffusion/sample_grid.h"
#include "engine/diffusion/sample_run.h"
#include "engine/image_file.h"
#include "runtime/progress_bar.h"
#include "sample_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

namespace wf {
namespace {

constexpr int64_t kRows = 10;

// "3" or the name of a class.
int64_t label_of(const std::string& word, const SampleModel& model) {
  const auto& names = model.classes;
  const auto named = std::find(names.begin(), names.end(), word);
  if (named != names.end()) return named - names.begin();
  const int64_t count = model.model->options.num_classes();
  const bool number = !word.empty() && word.find_first_not_of("0123456789") == std::string::npos &&
                      word.size() < 10;
  WF_CHECK(number && std::stoll(word) < count, "--classes ", word,
           ": the model has the classes 0 to ", count - 1, names.empty() ? "" : ", or by name ",
           join({names.begin(), names.begin() + std::min(names.size(), size_t{kRows})}, ", "));
  return std::stoll(word);
}

std::vector<int64_t> labels_of(const SampleFiles& files, const SampleModel& model) {
  std::vector<int64_t> labels;
  for (const auto& word : files.classes) labels.push_back(label_of(word, model));
  if (!labels.empty()) return labels;
  const int64_t count = model.model->options.num_classes();
  for (int64_t i = 0; i < std::min(count, kRows); ++i) labels.push_back(i);
  return labels;
}

std::string class_name(const SampleModel& model, int64_t label) {
  const auto& names = model.classes;
  return names.empty() ? std::to_string(label) : names[label];
}

// The metadata of a file of samples.
std::string settings_text(const SampleModelRequest& request, const SampleModel& model,
                          int64_t index, int64_t label) {
  const auto text = str("weights: ", request.file, model.weights.empty() ? "" : " ", model.weights,
                        "\nindex: ", index, "\nclass: ", label, "\n");
  return text + list_settings(model.config, {"SAMPLE."});
}

at::Tensor draw(const SampleGenerator& generator, const std::vector<int64_t>& indices,
                const std::vector<int64_t>& labels) {
  std::optional<ProgressBar> bar;
  return generator.draw(indices, labels, [&](int64_t done, int64_t all) {
    if (!bar) bar.emplace("sampling", all, "steps");
    bar->show(done);
  });
}

}  // namespace

void draw_grid(const SampleModelRequest& request, const SampleModel& model,
               const SampleFiles& files, const SampleGenerator& generator, LatentCodec* codec) {
  std::vector<int64_t> indices, labels;
  for (const auto label : labels_of(files, model)) {
    for (int64_t i = 0; i < files.per_class; ++i) {
      indices.push_back(static_cast<int64_t>(indices.size()));
      labels.push_back(label);
    }
  }
  const Stopwatch watch;
  const auto samples = draw(generator, indices, labels);
  const bool latents = denoises_latents(model.config) && !codec;
  const auto images = codec ? codec->decode(samples) : displayed(samples, latents);
  write_png(files.directory + "/grid.png", tile(images, files.per_class),
            settings_text(request, model, 0, labels.front()));
  for (size_t i = 0; files.single && i < indices.size(); ++i) {
    const auto directory = files.directory + "/images/" + class_name(model, labels[i]);
    std::filesystem::create_directories(directory);
    write_png(fmt::format("{}/{:06}.png", directory, i), images[static_cast<int64_t>(i)],
              settings_text(request, model, indices[i], labels[i]));
  }
  std::cout << fmt::format("{}/grid.png: {} samples in {:.1f} s{}{}\n", files.directory,
                           indices.size(), watch.seconds(), decoding_share(codec, watch.seconds()),
                           latents ? ", latents shown without a decoder" : "");
}

}  // namespace wf
