// A run that is to stop while its loader waits for a sample that does not come.

#include "weightformer/engine/trainer.h"
#include "weightformer/serialization/weights.h"

#include "runtime/stop_signal.h"
#include "support/gate.h"
#include "support/quadratic_task.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <thread>

namespace wf::testing {
namespace {

// Points of which read number `held` waits at the gate.
class HeldReader : public PointReader {
 public:
  HeldReader(std::shared_ptr<Gate> gate, int held)
      : PointReader(44), gate_(std::move(gate)), left_(held) {}
  std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const override {
    struct Builder : BatchBuilder {
      void read(int64_t slot, int64_t index, CounterRng rng) override {
        if (owner->left_-- == 0) owner->gate_->pass();
        points->read(slot, index, rng);
      }
      void mark_unreadable(int64_t slot) override { points->mark_unreadable(slot); }
      Batch finish() override { return points->finish(); }
      std::unique_ptr<BatchBuilder> points;
      const HeldReader* owner = nullptr;
    };
    auto builder = std::make_unique<Builder>();
    builder->points = PointReader::begin(count, memory);
    builder->owner = this;
    return builder;
  }

 private:
  std::shared_ptr<Gate> gate_;
  mutable std::atomic<int> left_;
};

class SavedSteps : public Observer {
 public:
  void on_stop(const TrainState& state) override { step = state.progress.step; }
  int64_t step = -1;
};

class TrainerStop : public ::testing::Test {
 protected:
  void TearDown() override { clear_stop_request(); }
};

TEST_F(TrainerStop, SavesTheStateBeforeTheStepWhoseDataDoesNotCome) {
  const auto gate = std::make_shared<Gate>();
  const auto reader = std::make_shared<HeldReader>(gate, 20);  // in the third batch of 8
  LoaderOptions loading;
  loading.batch_size = 8;
  loading.workers = 2;
  loading.train = loading.drop_last = true;
  loading.stop_after = 0.2;
  TrainerOptions options;
  options.epochs = 3;
  QuadraticRun run(options), unbroken(options);
  {
    Loader held(reader, Sampler(44, /*shuffle=*/true, loading.seed), loading);
    Trainer trainer(run.state, run.task, held, options);
    const auto saved = std::make_shared<SavedSteps>();
    trainer.add(saved);
    std::thread stopper([&] {
      gate->wait_until_reached();
      request_stop();
    });
    EXPECT_EQ(trainer.run(), Outcome::stopped);
    stopper.join();
    EXPECT_LE(saved->step, 2) << "the third batch never came";
    EXPECT_EQ(saved->step, run.state.progress.step);
  }
  gate->open();
  clear_stop_request();
  // Resuming from there ends as an unbroken run does.
  Trainer rest(run.state, run.task, *run.train, options);
  EXPECT_EQ(rest.run(), Outcome::finished);
  EXPECT_EQ(unbroken.trainer->run(), Outcome::finished);
  const auto ours = state_dict(*run.state.model), theirs = state_dict(*unbroken.state.model);
  for (const auto& [name, tensor] : ours) {
    EXPECT_TRUE(torch::equal(tensor, theirs.at(name))) << name;
  }
}

}  // namespace
}  // namespace wf::testing
