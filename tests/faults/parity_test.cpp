// Several processes give the results of one.

#include "training.h"

namespace wf::testing {
namespace {

constexpr int kParityEpochs = 3;
const std::vector<std::string> kPlain{"--opts", "MODEL.DROP_PATH_RATE", "0"};

std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Float32 sums in another order, carried through AdamW for 18 steps.
constexpr double kTolerance = 2e-3, kLossTolerance = 1e-5;

void expect_close(const Training& training, const std::string& a, const std::string& b) {
  EXPECT_LT(difference(training.tensors(a, kParityEpochs), training.tensors(b, kParityEpochs)),
            kTolerance);
  const auto ours = training.metrics(a), theirs = training.metrics(b);
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    for (const char* key : {"train_loss", "val_loss"}) {
      EXPECT_NEAR(ours[i][key], theirs[i][key], kLossTolerance) << key << " of epoch " << i;
    }
    EXPECT_EQ(ours[i]["val_acc1"], theirs[i]["val_acc1"]);
  }
}

TEST(SameResult, TwoProcessesAndAccumulationMatchOneProcess) {
  const Training training(kParityEpochs);
  const auto one = run(training.command("one", with({"--batch-size", "16"}, kPlain)));
  ASSERT_EQ(one.code, 0) << one.err;
  const auto two = Ranks(2, training.command("two", kPlain)).wait();
  for (const auto& rank : two) ASSERT_EQ(rank.code, 0) << told(two);
  expect_close(training, "one", "two");
  const auto parts =
      Ranks(2, training.command("parts", with({"--batch-size", "4"},
                                              with(kPlain, {"TRAIN.ACCUMULATION_STEPS", "2"}))))
          .wait();
  for (const auto& rank : parts) ASSERT_EQ(rank.code, 0) << told(parts);
  expect_close(training, "one", "parts");
}

TEST(SameResult, RanksWithOtherSettingsAreRefusedByName) {
  const Training training(2);
  const auto command = training.command("mixed");
  const std::vector<std::string> other{"sh", "-c",
                                       "[ $RANK = 0 ] || more='--opts TRAIN.BASE_LR 0.1'; "
                                       "exec \"$@\" $more",
                                       "sh"};
  auto words = other;
  words.insert(words.end(), command.begin(), command.end());
  const auto ranks = Ranks(2, words).wait();
  EXPECT_EQ(ranks[0].code, 2) << told(ranks);
  EXPECT_EQ(ranks[1].code, 2) << told(ranks);
  EXPECT_NE(ranks[1].err.find("its settings: TRAIN.BASE_LR: 0.1, rank 0 has TRAIN.BASE_LR: "),
            std::string::npos)
      << told(ranks);
}

// Rank 1 takes `data` in place of the training's own.
std::vector<Finished> run_with_other_data(const Training& training, const std::string& data) {
  const std::vector<std::string> script{
      "sh", "-c",
      "data=$1; shift; [ $RANK = 0 ] || more=\"--data-path $data\"; "
      "exec \"$@\" $more",
      "sh", data};
  // Starting up may take long on a busy machine.
  const auto command = training.command("other", {"--opts", "DIST.TIMEOUT_S", "60"});
  return Ranks(2, with(script, command)).wait();
}

TEST(SameResult, RanksWithOtherDataAreRefusedWithTheDifference) {
  namespace fs = std::filesystem;
  const Training training(2);
  const TempDir folder;
  const auto copy = [&](const std::string& name) {
    fs::copy(training.data(), folder / name, fs::copy_options::recursive);
    return folder / name;
  };
  const auto expect_refusal = [&](const std::string& data, const std::string& message) {
    const auto ranks = run_with_other_data(training, data);
    EXPECT_EQ(ranks[0].code, 2) << told(ranks);
    EXPECT_EQ(ranks[1].code, 2) << told(ranks);
    EXPECT_NE(ranks[1].err.find("error: rank 1 differs from rank 0 in its " + message),
              std::string::npos)
        << told(ranks);
    EXPECT_NE(ranks[0].err.find("another rank differs from rank 0"), std::string::npos);
    EXPECT_FALSE(fs::exists(training.file("other", "config.yaml"))) << "nothing is trained";
  };
  const auto renamed = copy("renamed");
  for (const char* split : {"/train", "/val"}) {
    fs::rename(renamed + split + "/upright", renamed + split + "/apex");
  }
  expect_refusal(renamed, "training set: class 0 'apex' with 48 images");
  const auto smaller = copy("smaller");
  fs::remove(smaller + "/train/level/1.png");
  expect_refusal(smaller, "training set: class 0 'level' with 47 images");
  const auto other_name = copy("other_name");
  fs::rename(other_name + "/val/level/97.png", other_name + "/val/level/97a.png");
  expect_refusal(other_name, "validation set: class 0 'level' with 11 images");
  const auto more_classes = copy("more_classes");
  fs::create_directory(more_classes + "/train/zebra");
  expect_refusal(more_classes, "training set: 3 classes, rank 0 has 2 classes");
  const auto ranks = run_with_other_data(training, copy("same"));
  for (const auto& rank : ranks) EXPECT_EQ(rank.code, 0) << told(ranks);
}

TEST(SameResult, EvaluationCountsEveryImageOnceOnThreeProcesses) {
  const Training training(2);
  ASSERT_EQ(run(training.command("run")).code, 0);
  const auto weights = training.file("run", "max_acc.pth");
  const std::vector<std::string> evaluate{"--eval", "--resume", weights, "--batch-size", "7"};
  const auto one = run(training.command("eval", evaluate));
  ASSERT_EQ(one.code, 0) << one.err;
  const auto three = Ranks(3, training.command("eval", evaluate)).wait();
  for (const auto& rank : three) ASSERT_EQ(rank.code, 0) << told(three);
  const auto single = nlohmann::json::parse(one.out),
             together = nlohmann::json::parse(three[0].out);
  EXPECT_EQ(together["images"], 22);
  EXPECT_EQ(together["val_acc1"], single["val_acc1"]);
  EXPECT_NEAR(together["val_loss"], single["val_loss"], 1e-6);
  EXPECT_EQ(three[1].out, "") << "only rank 0 prints";
}

}  // namespace
}  // namespace wf::testing
