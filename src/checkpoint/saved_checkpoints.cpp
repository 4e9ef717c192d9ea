#include "checkpoint/saved_checkpoints.h"

#include "weightformer/core/check.h"

#include "runtime/log.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

namespace wf {
namespace {

namespace fs = std::filesystem;

// Not by step: a run that went back to an older checkpoint must not be overtaken by what it left
// behind. And not by a clock, which may be wrong on the next machine.
bool saved_before(const SavedCheckpoint& a, const SavedCheckpoint& b) {
  return std::tie(a.serial, a.step, a.path) < std::tie(b.serial, b.step, b.path);
}

// The checkpoints of a run, valid or not.
std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const auto& path = entry.path();
    if (path.filename().string().rfind("ckpt_", 0) == 0 && path.extension() == ".pth") {
      paths.push_back(path.string());
    }
  }
  return paths;
}

struct Listing {
  std::vector<SavedCheckpoint> saved;  // in order
  std::optional<CheckpointFile> last;  // of those: most likely the one to resume, so it stays open
  std::vector<std::string> problems;   // of the others
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
    const SavedCheckpoint saved{file->serial(), file->progress(/*steps_per_epoch=*/1).step, path};
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
  const auto names = names_in(directory);  // once: a run may be writing here
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
  // A fresh start would overwrite, checkpoint by checkpoint, what may yet be mended or looked at.
  WF_CHECK(paths.empty() && names.empty(), directory,
           ": there are checkpoints here and none of them is valid; give the run another --tag, or "
           "move them away to start from the beginning");
  return {};
}

}  // namespace wf
