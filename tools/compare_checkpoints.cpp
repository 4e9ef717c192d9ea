#include "compare_checkpoints.h"

#include "checkpoint/checkpoint.h"
#include "serialization/tensor_file.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace wf {
namespace {

using pickle::Kind;
using pickle::Value;

// The value of a dict by the text of its key, which may be an integer; null without one.
const Value* find(const Value* dict, const std::string& key) {
  if (!dict || !dict->is(Kind::dict)) return nullptr;
  for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    if (dict->items[i]->as_key() == key) return dict->items[i + 1];
  }
  return nullptr;
}

class Comparer {
 public:
  Comparer(TensorFile& ours, TensorFile& theirs) : ours_(ours), theirs_(theirs) {}

  // Visits `theirs` in the order of the file; `ours` is null where there is no such value.
  void compare(const Value& theirs, const Value* ours, const std::string& path) {
    if (theirs.is(Kind::tensor)) {
      ++result.compared;
      if (result.different.empty()) result.different = difference(theirs, ours, path);
    }
    if (!theirs.is(Kind::dict)) return;
    for (size_t i = 0; i + 1 < theirs.items.size(); i += 2) {
      const auto key = theirs.items[i]->as_key();
      compare(*theirs.items[i + 1], find(ours, key), path.empty() ? key : path + "." + key);
    }
  }

  Comparison result;

 private:
  std::string difference(const Value& theirs, const Value* ours, const std::string& path) {
    if (!ours || !ours->is(Kind::tensor)) return path + " is only in the checkpoint";
    const auto a = theirs_.tensor(theirs).contiguous(), b = ours_.tensor(*ours).contiguous();
    if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) {
      return path + " has another shape or dtype";
    }
    if (std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0) return "";
    const auto gap = (a.to(torch::kDouble) - b.to(torch::kDouble)).abs();
    return fmt::format("{}: {} of {} values differ, by up to {:.3g}", path,
                       gap.ne(0).sum().item<int64_t>(), gap.numel(), gap.max().item<double>());
  }

  TensorFile &ours_, &theirs_;
};

}  // namespace

Comparison compare_checkpoint(const std::string& path, const TrainState& state) {
  namespace fs = std::filesystem;
  const auto copy =
      (fs::temp_directory_path() / fmt::format("wf_verify_{}.pth", ::getpid())).string();
  save_checkpoint(copy, state);
  TensorFile ours(copy), theirs(path);
  std::error_code ignored;
  fs::remove(copy, ignored);  // it stays mapped
  theirs.verify();
  Comparer comparer(ours, theirs);
  comparer.compare(theirs.root(), &ours.root(), "");
  return comparer.result;
}

}  // namespace wf
