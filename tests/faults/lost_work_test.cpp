// Events that used to lose work silently: signals, a moved run directory, starting over.

#include "support/errors.h"
#include "training.h"

#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

constexpr int kLongRun = 4;

TEST(Signals, ThatBatchSystemsAndTerminalsSendSaveAndStop) {
  const Training training(/*epochs=*/30);
  for (const int signal : {SIGHUP, SIGUSR1, SIGXFSZ}) {
    const auto tag = "signal_" + std::to_string(signal);
    Process stopped(training.command(tag));
    ASSERT_TRUE(stopped.wait_for("train [2/")) << stopped.err();
    stopped.send(signal);
    stopped.send(signal);
    const auto end = stopped.wait();
    EXPECT_EQ(end.code, 0) << signal << "\n" << end.err;
    EXPECT_TRUE(has(end.err, "stopped; the same command resumes")) << end.err;
    EXPECT_TRUE(has(end.err, "ckpt_step_")) << end.err;
  }
}

TEST(RunDirectory, MovedDuringTrainingIsCreatedAgainAndReceivesLaterFiles) {
  const Training training(kLongRun);
  ASSERT_EQ(run(training.command("unbroken")).code, 0);
  const fs::path moved = training.file("moved", ""), aside = training.file("aside", "");
  {
    Process process(training.command("moved"));
    ASSERT_TRUE(process.wait_for("ckpt_epoch_1.pth in")) << process.err();
    fs::rename(moved.parent_path(), aside.parent_path());
    const auto end = process.wait();
    EXPECT_EQ(end.code, 0) << end.err;
    EXPECT_TRUE(has(end.err, "this run directory was moved or deleted; created it again"))
        << end.err;
  }
  expect_equal(training.tensors("unbroken", kLongRun), training.tensors("moved", kLongRun));
  EXPECT_FALSE(training.metrics("moved").empty());
  EXPECT_TRUE(has(read_file(training.file("moved", "log.txt")), "finished")) << "its log continues";
  EXPECT_EQ(run(training.command("moved")).code, 0);
}

TEST(RunDirectory, OfAnotherRunIsNotStartedOver) {
  const Training training(kLongRun);
  ASSERT_EQ(run(training.command("run")).code, 0);
  const auto best = read_file(training.file("run", "max_acc.pth"));
  const auto metrics = read_file(training.file("run", "metrics.jsonl"));
  const auto over = run(training.command("run", {"--opts", "TRAIN.AUTO_RESUME", "false"}));
  EXPECT_EQ(over.code, 2) << over.err;
  EXPECT_TRUE(has(over.err, "there are checkpoints here, which TRAIN.AUTO_RESUME false would"))
      << over.err;
  EXPECT_EQ(read_file(training.file("run", "max_acc.pth")), best);
  EXPECT_EQ(read_file(training.file("run", "metrics.jsonl")), metrics);

  const auto back =
      run(training.command("run", {"--resume", training.file("run", "ckpt_epoch_2.pth"), "--opts",
                                   "TRAIN.AUTO_RESUME", "false"}));
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_TRUE(has(back.err, "ckpt_epoch_3.pth, ckpt_epoch_4.pth are now in ")) << back.err;
  EXPECT_TRUE(fs::exists(training.file("run", "old_1/ckpt_epoch_4.pth")));
  EXPECT_EQ(read_file(training.file("run", "old_1/metrics.jsonl")), metrics);
  expect_equal(all_tensors(training.file("run", "old_1/ckpt_epoch_4.pth")),
               training.tensors("run", kLongRun));
}

}  // namespace
}  // namespace wf::testing
