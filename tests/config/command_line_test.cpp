#include "config/command_line.h"

#include "weightformer/core/check.h"

#include "config/describe.h"
#include "config/load.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override { write_file(folder_ / "a.yaml", "TAG: x"); }
  CommandLine parse(const std::vector<std::string>& more) {
    const std::string path = folder_ / "a.yaml";
    std::vector<const char*> words{"wf_train", "--cfg", path.c_str()};
    for (const auto& word : more) words.push_back(word.c_str());
    return parse_train_arguments(static_cast<int>(words.size()), words.data());
  }
  std::string error(const std::vector<std::string>& more) {
    return error_of([&] { parse(more); });
  }
  TempDir folder_;
};

TEST_F(CommandLineTest, WordsAreTakenLiterally) {
  for (const std::string typed :
       {"exp #2",  "%x", "&x y",   "!x y",       "~",  "null", "'q'", "\"q\"", " x ", "a: b", "[a]",
        " [a, b]", "[",  "{a: b}", "two\nlines", "*x", "5",    "ü",   "|",     "a\\n"}) {
    const auto flags = parse({"--tag", typed, "--data-path", typed, "--resume", typed}).config;
    EXPECT_EQ(flags.tag, typed);
    EXPECT_EQ(flags.data.data_path, typed);
    EXPECT_EQ(flags.model.resume, typed);
    const auto opts = parse({"--opts", "TAG", typed, "DATA.DATA_PATH", typed}).config;
    EXPECT_EQ(opts.tag, typed);
    EXPECT_EQ(opts.data.data_path, typed);
    write_file(folder_ / "dump.yaml", dump_yaml(opts));
    EXPECT_TRUE(load_config(folder_ / "dump.yaml") == opts) << dump_yaml(opts);
  }
  EXPECT_EQ(parse({"--opts", "DATA.REAL_LABELS", ""}).config.data.real_labels, "");
}

TEST_F(CommandLineTest, NumbersListsAndNullAreStillUnderstood) {
  const auto c = parse({"--opts", "AMP", "yes", "TRAIN.BASE_LR", "1e-3", "DATA.BATCH_SIZE", " 7",
                        "TRAIN.OPTIMIZER.BETAS", "[0.8, 0.95]", "AUG.CUTMIX_MINMAX", "[0.2, 0.8]",
                        "TRAIN.EMA_DECAY", "[0.99,0.999]"})
                     .config;
  EXPECT_EQ(c.amp, AmpMode::on);
  EXPECT_EQ(c.train.base_lr, 1e-3);
  EXPECT_EQ(c.data.batch_size, 7);
  EXPECT_EQ(c.train.optimizer.betas, (Pair{0.8, 0.95}));
  EXPECT_EQ(c.aug.cutmix_minmax, (Pair{0.2, 0.8}));
  EXPECT_EQ(c.train.ema_decay, (std::vector<double>{0.99, 0.999}));
  for (const std::string null : {"null", "~", "", "None"}) {
    EXPECT_FALSE(parse({"--opts", "AUG.CUTMIX_MINMAX", null}).config.aug.cutmix_minmax) << null;
  }
  EXPECT_EQ(error({"--batch-size", "8 #9"}),
            "--batch-size: DATA.BATCH_SIZE: expected an integer, got '8 #9'");
  EXPECT_EQ(error({"--opts", "TRAIN.OPTIMIZER.BETAS", "[0.8"}),
            "--opts: TRAIN.OPTIMIZER.BETAS: expected a list of two numbers, got '[0.8'");
}

TEST_F(CommandLineTest, AFlagThatIsAKeyIsAnsweredWithTheKey) {
  const std::pair<std::string, std::string> cases[] = {
      {"--lr", "did you mean --opts TRAIN.BASE_LR VALUE?"},
      {"--epochs", "did you mean --opts TRAIN.EPOCHS VALUE?"},
      {"--epoch", "did you mean --opts TRAIN.EPOCHS VALUE?"},
      {"--img-size", "did you mean --opts DATA.IMG_SIZE VALUE?"},
      {"--workers", "did you mean --opts DATA.NUM_WORKERS VALUE?"},
      {"--drop_path=0.1", "did you mean --opts MODEL.DROP_PATH_RATE VALUE?"},
      {"--batch", "did you mean --batch-size?"},
      {"--bacth-size", "did you mean --batch-size?"},
      {"--no-such-thing", "--help lists the flags"},
  };
  for (const auto& [flag, answer] : cases) {
    const auto message = error({flag, "5"});
    EXPECT_EQ(message.rfind("unknown flag " + flag.substr(0, flag.find('=')), 0), 0u) << message;
    EXPECT_TRUE(has(message, answer)) << message;
  }
}

TEST_F(CommandLineTest, AnEmptyOutputIsRefused) {
  EXPECT_EQ(error({"--output", ""}), "OUTPUT (--output) is empty: expected the directory for runs");
  EXPECT_TRUE(has(error({"--tag", ""}), "TAG (--tag) is ''"));
}

}  // namespace
}  // namespace wf::testing
