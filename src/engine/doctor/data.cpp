#include "weightformer/core/check.h"

#include "engine/doctor/finding.h"
#include "engine/tasks.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>

namespace wf {
namespace {

// Reads some of the samples of `loader`, as training does.
Finding check_samples(const Loader& loader, int64_t samples) {
  const int64_t all = loader.reader().size(), count = std::min(all, samples);
  int64_t unreadable = 0;
  std::string first;
  for (int64_t i = 0; i < count; ++i) {
    const auto index = i * all / count;
    const auto batch = loader.read({index});
    if (batch.labels[0].item<int64_t>() >= 0) continue;
    if (unreadable++ == 0) first = loader.reader().name(index);
  }
  const auto what =
      fmt::format("{} of {} training samples read, {} unreadable", count, all, unreadable);
  if (unreadable == 0) return {Severity::fine, "data", what, ""};
  return {unreadable == count ? Severity::fault : Severity::warning, "data",
          fmt::format("{}, the first is {}", what, first),
          "training replaces them by others: restore or remove them"};
}

}  // namespace

Findings check_data(const Config& config, int64_t samples) {
  try {
    const auto& task = tasks().at(config.model.type);
    task.check(config);
    const auto setup = task.build(config, TaskRequest{});
    Findings out;
    const auto batches = setup.train->batches() / config.train.accumulation_steps;
    if (batches == 0) {
      out.push_back({Severity::fault, "data", "fewer training samples than one step takes",
                     "lower DATA.BATCH_SIZE or TRAIN.ACCUMULATION_STEPS"});
    }
    out.push_back(check_samples(*setup.train, samples));
    return out;
  } catch (const Error& problem) {
    return {{Severity::fault, "data", problem.what(), "see docs/data.md for what is expected"}};
  }
}

}  // namespace wf
