#include "checkpoint/saved_checkpoints.h"

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"
#include "runtime/log.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

namespace wf {
namespace {

namespace fs = std::filesystem;

// Not by step: after going back to an older checkpoint, the abandoned ones must not count as newer.
// And not by time: clocks of machines may differ.
bool saved_before(const SavedCheckpoint& a, const SavedCheckpoint& b) {
  return std::tie(a.serial, a.step, a.path) < std::tie(b.serial, b.step, b.path);
}

// The checkpoints of a run, valid or not.
std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto& path = entry.path();
    if (starts_with(path.filename().string(), "ckpt_") && path.extension() == ".pth") {
      paths.push_back(path.string());
    }
  }
  return paths;
}

struct Listing {
  std::vector<SavedCheckpoint> saved;  // in order
  std::optional<CheckpointFile>
      last;  // the last of those: most likely the one to resume, so it stays open
  std::vector<std::string> problems;  // of the others
};

std::optional<CheckpointFile> open_or_note(const std::string& path,
                                           std::vector<std::string>& problems) try {
  return CheckpointFile(path);
} catch (const Error& problem) {
  problems.emplace_back(problem.what());
  return std::nullopt;
}

Listing list(const std::vector<std::string>& paths) {
  Listing out;
  SavedCheckpoint last;
  for (const auto& path : paths) {
    auto file = open_or_note(path, out.problems);
    if (!file) continue;
    const SavedCheckpoint saved{file->serial(), file->progress(/*steps_per_epoch=*/1).step, path,
                                file->own_best()};
    out.saved.push_back(saved);
    if (out.last && saved_before(saved, last)) continue;
    out.last = std::move(file);
    last = saved;
  }
  std::sort(out.saved.begin(), out.saved.end(), saved_before);
  return out;
}

}  // namespace

std::vector<SavedCheckpoint> list_checkpoints(const std::string& directory) {
  return list(names_in(directory)).saved;  // newest_checkpoint() reports the problems
}

NewestCheckpoint newest_checkpoint(const std::string& directory) {
  const auto names = names_in(directory);  // only once: a run may be writing here
  auto listing = list(names);
  std::vector<std::string> paths;
  for (const auto& saved : listing.saved) paths.push_back(saved.path);
  std::reverse(paths.begin(), paths.end());
  const auto best = directory + "/" + kBestCheckpoint;
  if (fs::exists(best)) paths.push_back(best);
  const auto skip = [](const std::string& why) { log::warning("skipping a checkpoint: {}", why); };
  for (const auto& problem : listing.problems) skip(problem);
  auto file = std::move(listing.last);
  for (const auto& path : paths) {
    try {
      if (!file) file.emplace(path);
      file->verify();
      return {std::move(listing.saved), std::move(file)};
    } catch (const Error& problem) {
      skip(problem.what());
      file.reset();
    }
  }
  // Restarting would overwrite checkpoints that can perhaps be repaired or inspected.
  WF_CHECK(paths.empty() && names.empty(), directory,
           ": all checkpoints here are invalid; choose another --tag, or "
           "move them away to start from the beginning");
  return {};
}

bool has_checkpoints(const std::string& directory) {
  return !names_in(directory).empty() || fs::exists(directory + "/" + kBestCheckpoint);
}

void move_later_checkpoints(const std::string& directory, int64_t serial,
                            std::vector<SavedCheckpoint>& saved) {
  const auto first = std::find_if(saved.begin(), saved.end(),
                                  [&](const auto& each) { return each.serial > serial; });
  if (first == saved.end()) return;
  int number = 1;
  while (fs::exists(str(directory, "/old_", number))) ++number;
  const fs::path old = str(directory, "/old_", number);
  std::error_code problem;
  fs::create_directory(old, problem);
  // The run will drop the lines of steps that it trains again.
  std::error_code none_there;
  fs::copy_file(directory + "/metrics.jsonl", old / "metrics.jsonl", none_there);
  std::vector<std::string> names;
  for (auto it = first; it != saved.end() && !problem; ++it) {
    const auto name = fs::path(it->path).filename();
    names.push_back(name.string());
    fs::rename(it->path, old / name, problem);
  }
  WF_CHECK(!problem, old.string(),
           ": cannot move the later checkpoints there: ", problem.message());
  saved.erase(first, saved.end());
  log::warning("going back: the later checkpoints {} are now in {}", join(names, ", "),
               old.string());
}

void remove_incomplete_files(const std::string& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto name = entry.path().filename().string();
    bool incomplete = name.find(".pth.tmp") != std::string::npos;
    for (const std::string file :
         {"metrics.jsonl", "config.yaml", "summary.csv", "validation.json", "report.html"}) {
      incomplete = incomplete || starts_with(name, file + ".tmp");
    }
    if (incomplete) fs::remove(entry.path(), ignored);
  }
}

}  // namespace wf
