// Checkpoints whose content contradicts itself. Damaged bytes are found by their checksums.

#include "weightformer/core/check.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_file.h"
#include "serialization/tensor_file.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <limits>

namespace wf::testing {
namespace {

TEST(DamagedCheckpoint, CountersThatNoRunReachesAreNamed) {
  const TempDir folder;
  const auto path = folder / "ckpt_epoch_1.pth";
  const std::string damaged = path + ": damaged checkpoint: ";
  const std::pair<std::function<void(Progress&)>, std::string> cases[] = {
      {[](Progress& p) { p.global_batch_size = int64_t{1} << 62; }, "expected a count from 0 to"},
      {[](Progress& p) { p.epoch = -1; }, "expected a count from 0 to 1000000000 as epoch"},
      {[](Progress& p) { p.batch = 8, p.batches = 7; }, "batch 8 of 7"},
      {[](Progress& p) { p.loss_sum = std::numeric_limits<double>::infinity(); }, "is not finite"},
      {[](Progress& p) { p.loss_sum = std::nan(""); }, "loss_sum is not finite"}};
  for (const auto& [bend, expected] : cases) {
    TrainState state;
    state.model = create_classifier("wfm_nano");
    state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
    bend(state.progress);
    save_checkpoint(path, state);
    const auto message = error_of([&] { CheckpointFile{path}; });
    EXPECT_EQ(message.rfind(damaged + "progress: ", 0), 0u) << message;
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
  // As the original trainer writes it.
  TensorTree tree;
  auto* root = tree.document.make(pickle::Kind::dict);
  for (const char* key : {"model", "optimizer"}) {
    tree.document.put(root, key, tree.document.make(pickle::Kind::dict));
  }
  tree.document.put(root, "epoch", tree.document.of(std::numeric_limits<int64_t>::max()));
  tree.write(path, *root);
  EXPECT_EQ(error_of([&] { CheckpointFile{path}; }), damaged + "epoch is 9223372036854775807");
}

TEST(DamagedCheckpoint, AnOptimizerWithoutStateIsLogged) {
  const TempDir folder;
  const auto path = folder / "ckpt_epoch_1.pth";
  TrainState state;
  state.model = create_classifier("wfm_nano");
  state.optimizer = make_optimizer({}, param_groups(*state.model, 0.05));
  save_checkpoint(path, state);
  const std::string code =
      "import sys, torch; path = sys.argv[1]; saved = torch.load(path, weights_only=False); "
      "saved['optimizer']['state'] = {}; torch.save(saved, path)";
  if (run({WF_PYTHON, "-c", code, path}).code != 0) GTEST_SKIP() << "Python has no torch";
  ::testing::internal::CaptureStderr();
  CheckpointFile(path).load_into(state, /*steps_per_epoch=*/1, {});
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(has(log, path + ": its optimizer has no state; the moments start from zero")) << log;
}

}  // namespace
}  // namespace wf::testing
