// Training of a denoiser, killed again and again. WF_KILLS sets how often (25).

#include "weightformer/core/random.h"
#include "weightformer/serialization/safetensors.h"

#include "support/dit_run.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

class DitKills : public DitRun {
 protected:
  static constexpr const char* kLast = "ckpt_step_2502.pth";
  static std::vector<std::string> settings() {
    return {"TRAIN.STEPS",
            "2502",
            "SAVE_STEPS",
            "3",
            "SAVE_FREQ",
            "20",
            "TRAIN.EMA_SNAPSHOT_STEPS",
            "100",
            "TEST.EVERY_EPOCHS",
            "50",
            "SAVE_KEEP",
            "3"};
  }
};

// Loss-aware times, two EMAs and snapshots of one; the kills come while steps are computed and
// while checkpoints, snapshots and metrics are written.
TEST_F(DitKills, AtRandomMomentsEndWithTheSameBits) {
  const char* asked = std::getenv("WF_KILLS");
  const int kills = asked ? std::atoi(asked) : 25;
  const auto unbroken = run(command("unbroken", settings()));
  ASSERT_EQ(unbroken.code, 0) << unbroken.err;
  CounterRng rng{18, 25};
  int done = 0;
  for (; done < kills; ++done) {
    Process process(command("broken", settings()));
    ASSERT_TRUE(process.wait_for("train [")) << process.err();
    std::this_thread::sleep_for(std::chrono::microseconds(rng.below(300'000)));
    process.send(SIGKILL);
    const auto ended = process.wait();
    if (ended.code == 0) break;  // it was already finished
    ASSERT_EQ(ended.code, 128 + SIGKILL) << ended.err;
  }
  RecordProperty("kills", done);
  EXPECT_EQ(done, kills) << "the run ended before all kills were done: give it more steps";
  const auto last = run(command("broken", settings()));
  ASSERT_EQ(last.code, 0) << last.err;
  expect_equal_runs("unbroken", "broken", kLast);
  int snapshots = 0;
  for (const auto& entry : fs::directory_iterator(file("unbroken", "ema"))) {
    const auto name = entry.path().filename().string();
    const auto ours = read_safetensors(entry.path().string()).tensors,
               theirs = read_safetensors(file("broken", "ema/" + name)).tensors;
    for (const auto& [key, tensor] : ours) {
      EXPECT_TRUE(torch::equal(tensor, theirs.at(key))) << name << " " << key;
    }
    ++snapshots;
  }
  EXPECT_EQ(snapshots, 26);
}

}  // namespace
}  // namespace wf::testing
