#include "weightformer/config/config.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include "config/command_line.h"
#include "config/describe.h"
#include "config/load.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <limits>

namespace wf::testing {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

class ConfigTest : public ::testing::Test {
 protected:
  std::string file(const std::string& text, const std::string& name = "a.yaml") {
    write_file(folder_ / name, text);
    return folder_ / name;
  }
  Config load(const std::string& text, const std::vector<std::string>& opts = {}) {
    return load_config(file(text), opts);
  }
  // The error of a file with this text, without the name of the directory.
  std::string error(const std::string& text, const std::vector<std::string>& opts = {}) {
    auto message = message_of([&] { load(text, opts); });
    for (size_t at; (at = message.find(folder_.path() + "/")) != std::string::npos;) {
      message.erase(at, folder_.path().size() + 1);
    }
    return message;
  }
  TempDir folder_;
};

TEST_F(ConfigTest, TheDefaultsAreThePublishedOnes) {
  const Config c;
  EXPECT_EQ(c.data.batch_size, 128);
  EXPECT_EQ(c.data.img_size, 224);
  EXPECT_EQ(c.data.num_workers, 8);
  EXPECT_EQ(c.data.interpolation, InterpolationMode::bicubic);
  EXPECT_EQ(c.data.cache_mode, CacheMode::part);
  EXPECT_EQ(c.model.num_classes, 1000);
  EXPECT_EQ(c.model.drop_path_rate, 0.1);
  EXPECT_EQ(c.model.label_smoothing, 0.1);
  EXPECT_EQ(c.train.epochs, 300);
  EXPECT_EQ(c.train.warmup_epochs, 20);
  EXPECT_EQ(c.train.weight_decay, 0.05);
  EXPECT_EQ(c.train.base_lr, 5e-4);
  EXPECT_EQ(c.train.warmup_lr, 5e-7);
  EXPECT_EQ(c.train.min_lr, 5e-6);
  EXPECT_EQ(c.train.clip_grad, 5.0);
  EXPECT_TRUE(c.train.auto_resume);
  EXPECT_EQ(c.train.lr_scheduler.decay_epochs, 30);
  EXPECT_EQ(c.train.optimizer.betas, (Pair{0.9, 0.999}));
  EXPECT_EQ(c.aug.auto_augment, "rand-m9-mstd0.5-inc1");
  EXPECT_EQ(c.aug.mixup, 0.8);
  EXPECT_EQ(c.aug.reprob, 0.25);
  EXPECT_FALSE(c.aug.cutmix_minmax.has_value());
  EXPECT_TRUE(c.test.crop);
  EXPECT_EQ(c.save_freq, 1);
  EXPECT_EQ(c.print_freq, 100);
}

TEST_F(ConfigTest, ThePublishedFilesLoadUnchanged) {
  const auto s = load(
      "DATA:\n  BATCH_SIZE: 256\n  DATA_PATH: /home/data/imagenet\nMODEL:\n  TYPE: wfm\n"
      "  NAME: wfm_small\n  DROP_PATH_RATE: 0.2\nAMP: True\n");
  EXPECT_EQ(s.data.batch_size, 256);
  EXPECT_EQ(s.data.data_path, "/home/data/imagenet");
  EXPECT_EQ(s.model.name, "wfm_small");
  EXPECT_EQ(s.model.drop_path_rate, 0.2);
  EXPECT_EQ(s.amp, AmpMode::on);
}

TEST_F(ConfigTest, EveryFileInCfgLoadsIsConsistentAndRoundTrips) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(WF_SOURCE_DIR "/cfg")) {
    if (entry.path().extension() != ".yaml") continue;
    const auto config = load_config(entry.path().string());
    validate(config);
    EXPECT_TRUE(load(dump_yaml(config)) == config) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 4);
}

TEST_F(ConfigTest, ABaseComesFirstAndIsFoundBesideTheFileThatNamesIt) {
  file("TRAIN: {EPOCHS: 7, BASE_LR: 5e-4}", "deep/base.yaml");
  file("BASE: [base.yaml]\nTRAIN: {EPOCHS: 8}", "deep/middle.yaml");
  const auto c = load("TRAIN: {CLIP_GRAD: 1}\nBASE: ['', deep/middle.yaml]");
  EXPECT_EQ(c.train.epochs, 8);
  EXPECT_EQ(c.train.base_lr, 5e-4);
  EXPECT_EQ(c.train.clip_grad, 1.0);
}

TEST_F(ConfigTest, ABaseThatGoesInACircleIsAnError) {
  file("BASE: [a.yaml]", "b.yaml");
  EXPECT_NE(error("BASE: [b.yaml]").find("BASE includes itself"), std::string::npos);
}

TEST_F(ConfigTest, ASeedMayBeAnyNumberThatIsNotNegative) {
  EXPECT_EQ(load("SEED: 9223372036854775807").seed, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(error("SEED: -1"), "a.yaml:1: SEED: must be from 0 to " + str(0x1p63) + ", got -1");
}

// Thirty files, each named twice by the next: 2^30 readings without a memory.
TEST_F(ConfigTest, ABaseThatSeveralFilesNameIsReadOnce) {
  file("TRAIN: {EPOCHS: 50}", "0.yaml");
  for (int i = 1; i <= 30; ++i) {
    const auto below = std::to_string(i - 1) + ".yaml";
    file("BASE: [" + below + ", " + below + "]", std::to_string(i) + ".yaml");
  }
  EXPECT_EQ(load("BASE: [30.yaml]").train.epochs, 50);
}

TEST_F(ConfigTest, ABaseThatIsNamedAgainWinsAgain) {
  file("TRAIN: {EPOCHS: 50, CLIP_GRAD: 1}", "a0.yaml");
  file("BASE: [a0.yaml]\nTRAIN: {EPOCHS: 51}", "left.yaml");
  file("BASE: [a0.yaml]\nTRAIN: {CLIP_GRAD: 2}", "right.yaml");
  const auto c = load("BASE: [left.yaml, right.yaml]");
  EXPECT_EQ(c.train.epochs, 50);
  EXPECT_EQ(c.train.clip_grad, 2.0);
  EXPECT_EQ(load_config(folder_ / "left.yaml", {}).train.epochs, 51);
  EXPECT_EQ(c.origins.at("TRAIN.EPOCHS"), folder_ / "a0.yaml:1");
}

TEST_F(ConfigTest, OptsWinOverTheFileAndFlagsOverBoth) {
  const auto path = file("DATA: {BATCH_SIZE: 1}\nTAG: one");
  const char* const argv[] = {
      "wf_train", "--cfg",        path.c_str(), "--opts", "DATA.BATCH_SIZE",  "2",
      "TAG",      "two",          "--tag",      "three",  "--use-checkpoint", "--cache-mode",
      "no",       "--local_rank", "3"};
  const auto line = parse_train_arguments(static_cast<int>(std::size(argv)), argv);
  EXPECT_EQ(line.config.data.batch_size, 2);
  EXPECT_EQ(line.config.tag, "three");
  EXPECT_EQ(line.config.data.cache_mode, CacheMode::no);
  EXPECT_TRUE(line.config.train.use_checkpoint);
  EXPECT_EQ(line.config.output, "output");
  EXPECT_EQ(run_folder(line.config), "output/wfm_tiny/three");
}

TEST_F(ConfigTest, ListsMayBeTypedInSeveralForms) {
  const auto path = file("TAG: x");
  for (const char* betas : {"[0.8,0.95]", "[0.8, 0.95]", "(0.8, 0.95)", "0.8,0.95"}) {
    const char* const argv[] = {
        "wf_train", "--cfg", path.c_str(), "--opts", "TRAIN.OPTIMIZER.BETAS", betas, "TAG", "y"};
    const auto line = parse_train_arguments(static_cast<int>(std::size(argv)), argv);
    EXPECT_EQ(line.config.train.optimizer.betas, (Pair{0.8, 0.95})) << betas;
    EXPECT_EQ(line.config.tag, "y");
  }
}

TEST_F(ConfigTest, AnUnknownFlagNamesTheNearest) {
  const auto path = file("TAG: x");
  const char* const argv[] = {"wf_train", "--cfg", path.c_str(), "--batchsize", "2"};
  EXPECT_EQ(message_of([&] { parse_train_arguments(5, argv); }),
            "unknown flag --batchsize, did you mean --batch-size?");
  const char* const empty[] = {"wf_train", "--cfg", path.c_str(), "--tag", "--eval"};
  EXPECT_EQ(message_of([&] { parse_train_arguments(5, empty); }),
            "--tag needs a value, and --eval comes next");
  EXPECT_NE(message_of([&] { parse_train_arguments(1, argv); }).find("--cfg"), std::string::npos);
}

TEST_F(ConfigTest, HelpIsHandedBackAndNotPrinted) {
  const char* const argv[] = {"wf_train", "--help"};
  const auto help = parse_train_arguments(2, argv).help;
  EXPECT_NE(help.find("--use-checkpoint"), std::string::npos) << help;
  EXPECT_NE(help.find("name of the run"), std::string::npos) << "the help of TAG\n" << help;
  EXPECT_NE(help.find("evaluate the model and exit"), std::string::npos) << help;
}

TEST_F(ConfigTest, EveryMistakeIsOneLineWithFileLineAndKey) {
  const std::pair<std::string, std::string> cases[] = {
      {"TAG: a\nTRAIN:\n  CLIP_GRADS: 5",
       "a.yaml:3: unknown key TRAIN.CLIP_GRADS, did you mean TRAIN.CLIP_GRAD?"},
      {"TRAIN: {LR_SCHEDULR: {NAME: step}}",
       "a.yaml:1: unknown key TRAIN.LR_SCHEDULR, did you mean TRAIN.LR_SCHEDULER?"},
      {"LR_SCHEDULER.NAME: step",
       "a.yaml:1: unknown key LR_SCHEDULER.NAME, did you mean TRAIN.LR_SCHEDULER.NAME?"},
      {"EPOCHS: 3", "a.yaml:1: unknown key EPOCHS, did you mean TRAIN.EPOCHS?"},
      {"train.epochs: 3", "a.yaml:1: unknown key train.epochs, did you mean TRAIN.EPOCHS?"},
      {"train: {EPOCHS: 3}", "a.yaml:1: unknown key train, did you mean TRAIN?"},
      {"EPOCH: 3", "a.yaml:1: unknown key EPOCH, did you mean TRAIN.EPOCHS?"},
      {"TAG: a\nTRAIN:\n\tEPOCHS: 3", "a.yaml:3: not YAML: the line begins with a tab; use blanks"},
      {"TRIAN: {EPOCHS: 3}", "a.yaml:1: unknown key TRIAN, did you mean TRAIN?"},
      {"TRAIN: {EPOCHS: many}", "a.yaml:1: TRAIN.EPOCHS: expected an integer, got 'many'"},
      {"TRAIN: {EPOCHS: 1.5}", "a.yaml:1: TRAIN.EPOCHS: expected an integer, got '1.5'"},
      {"TRAIN: {EPOCHS: [1]}", "a.yaml:1: TRAIN.EPOCHS: expected an integer, got a list"},
      {"TRAIN: {EPOCHS: 0}", "a.yaml:1: TRAIN.EPOCHS: must be at least 1, got 0"},
      {"TRAIN: {EPOCHS: 4611686018427387904}",
       "a.yaml:1: TRAIN.EPOCHS: must be at most 1000000000, got 4611686018427387904"},
      {"TRAIN: {CLIP_GRAD: 1e308}", "a.yaml:1: TRAIN.CLIP_GRAD: expected a number, got '1e308'"},
      {"TRAIN: {EPOCHS: 3}\nTRAIN.EPOCHS: 4", "a.yaml:2: TRAIN.EPOCHS is given twice"},
      {"TAG: a\n---\nTAG: b",
       "a.yaml:2: text after the end of a YAML document; expected one document, without ---"},
      {", x]",
       "a.yaml:1: text after the end of a YAML document; expected one document, without ---"},
      {"TAG: a\n]\nTAG: b", "a.yaml:2: not YAML: illegal flow end"},
      {"TRAIN: {BASE_LR: .nan}", "a.yaml:1: TRAIN.BASE_LR: expected a number, got '.nan'"},
      {"TRAIN: {BASE_LR: }", "a.yaml:1: TRAIN.BASE_LR: expected a number, got nothing"},
      {"AMP: maybe", "a.yaml:1: AMP: expected true, false or auto, got 'maybe'"},
      {"MODEL: {LABEL_SMOOTHING: 1}",
       "a.yaml:1: MODEL.LABEL_SMOOTHING: must be from 0 to below 1, got 1"},
      {"TRAIN: {OPTIMIZER: {NAME: adam}}",
       "a.yaml:1: TRAIN.OPTIMIZER.NAME: must be one of adamw, sgd, got 'adam'"},
      {"TRAIN: {OPTIMIZER: {BETAS: [0.9]}}",
       "a.yaml:1: TRAIN.OPTIMIZER.BETAS: expected a list of two numbers, got a list"},
      {"TRAIN: 3", "a.yaml:1: TRAIN is a section: expected keys below it"},
      {"TAG: a\nTAG: b", "a.yaml:2: TAG is given twice"},
      {"- a", "a.yaml: expected KEY: value lines"},
      {"BASE: [gone.yaml]", "gone.yaml: no such configuration file"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(error(text), expected);
  EXPECT_EQ(error("TAG: \"abc\nTRAIN: {").rfind("a.yaml:", 0), 0u) << error("TAG: \"abc\nTRAIN: {");
  EXPECT_EQ(error("", {"TRAIN.EPOCH", "3"}),
            "--opts: unknown key TRAIN.EPOCH, did you mean TRAIN.EPOCHS?");
  EXPECT_EQ(error("", {"TRAIN", "3"}),
            "--opts: TRAIN is a section: set a key in it, such as TRAIN.START_EPOCH");
  EXPECT_EQ(error("", {"BASE", "a.yaml"}), "--opts: BASE is only for configuration files");
  EXPECT_EQ(error("", {"TRAIN.EPOCHS"}),
            "--opts: expected KEY VALUE pairs, TRAIN.EPOCHS has no value");
  EXPECT_NE(message_of([&] { load_config(folder_.path()); }).find(": not a file"),
            std::string::npos);
}

TEST_F(ConfigTest, ParsesValuesWrittenByPython) {
  const auto c = load("AMP: yes\nAUG: {CUTMIX_MINMAX: None}",
                      {"TRAIN.OPTIMIZER.BETAS", "(0.8, 0.95)", "AUG.CUTMIX_MINMAX", "[0.2, 0.8]"});
  EXPECT_EQ(c.amp, AmpMode::on);
  EXPECT_EQ(load("AMP: auto").amp, AmpMode::automatic);
  EXPECT_EQ(c.train.optimizer.betas, (Pair{0.8, 0.95}));
  EXPECT_EQ(c.aug.cutmix_minmax, (Pair{0.2, 0.8}));
}

TEST_F(ConfigTest, ContradictionsNameTheKeysAndWhereTheyWereSet) {
  const auto contradiction = [&](const std::string& text) {
    const auto config = load(text);
    return message_of([&] { validate(config); });
  };
  EXPECT_NE(contradiction("TRAIN:\n  EPOCHS: 5").find("TRAIN.WARMUP_EPOCHS (default) is 20"),
            std::string::npos);
  EXPECT_NE(contradiction("TRAIN:\n  MIN_LR: 1").find("a.yaml:2) is 1, above TRAIN.BASE_LR"),
            std::string::npos);
  EXPECT_NE(contradiction("TRAIN: {START_EPOCH: 300}").find("TRAIN.START_EPOCH"),
            std::string::npos);
  EXPECT_NE(contradiction("AUG: {CUTMIX_MINMAX: [0.8, 0.2]}").find("0.8"), std::string::npos);
  EXPECT_NE(contradiction("DATA: {DATASET: cifar100, ZIP_MODE: on}").find("ZIP_MODE"),
            std::string::npos);
  EXPECT_NE(contradiction("TRAIN: {BCE_THRESHOLD: 0.2}").find("only bce uses it"),
            std::string::npos);
  EXPECT_NE(contradiction("MODEL: {DIM: 30}").find("multiple of 4"), std::string::npos);
  EXPECT_EQ(contradiction("EVAL_MODE: on"), "--eval needs --resume FILE: the weights to evaluate");
  EXPECT_EQ(contradiction("TAG: fine"), "no error");
}

TEST_F(ConfigTest, DifferencesAndListsAreOfTheScopesAskedFor) {
  Config before, now;
  now.train.epochs = 310;
  now.print_freq = 7;
  now.data.data_path = "/data";
  using Lines = std::vector<std::string>;
  EXPECT_EQ(differences(before, now, {Scope::training}), Lines{"TRAIN.EPOCHS 300 → 310"});
  EXPECT_EQ(differences(before, now, {Scope::run}), Lines{"PRINT_FREQ 100 → 7"});
  EXPECT_EQ(differences(before, now, {Scope::machine}), Lines{"DATA.DATA_PATH \"\" → \"/data\""});
  const auto agreed = list_settings(now, {Scope::evaluation, Scope::training, Scope::run});
  EXPECT_EQ(agreed.rfind("DATA.BATCH_SIZE: 128\nDATA.DATASET: \"imagenet\"\n", 0), 0u) << agreed;
  EXPECT_NE(agreed.find("\nTRAIN.EPOCHS: 310\n"), std::string::npos) << agreed;
  EXPECT_EQ(agreed.find("DATA_PATH"), std::string::npos) << agreed;
}

TEST_F(ConfigTest, ADumpReadsBackToTheSameConfig) {
  EXPECT_TRUE(load(dump_yaml(Config())) == Config());
  CounterRng rng{4};
  const std::string odd[] = {"",   "yes", "1e3",  "a: b", "# no", "two\nlines",
                             "\"", "ü",   "null", "[",    "~"};
  for (int i = 0; i < 50; ++i) {
    Config c;
    c.tag = odd[rng.below(std::size(odd))];
    c.data.data_path = odd[rng.below(std::size(odd))];
    c.train.base_lr = rng.uniform() * 1e-3;
    c.train.optimizer.betas = {rng.uniform(), rng.uniform()};
    if (i % 2) c.aug.cutmix_minmax = Pair{rng.uniform(), rng.uniform()};
    c.train.epochs = 1 + rng.below(1000);
    c.amp = static_cast<AmpMode>(i % 3);
    EXPECT_TRUE(load(dump_yaml(c)) == c) << dump_yaml(c);
    EXPECT_FALSE(Config() == c);
  }
}

// What a typing error, a script with an empty variable or an attacker may write after a key.
const std::vector<std::string>& hostile_values() {
  static const std::vector<std::string> values{
      "",
      " ",
      "~",
      "null",
      "-1",
      "0",
      "-0",
      "1.5",
      "1e309",
      "-1e308",
      "5e-324",
      ".nan",
      "-.inf",
      "9223372036854775807",
      "9223372036854775808",
      "-9223372036854775808",
      "0x10",
      "1_000",
      "1e3",
      "true",
      "no",
      "[]",
      "[1, 2]",
      "[[1], [2]]",
      "[",
      "{a: 1}",
      "'q'",
      "\"open",
      "exp #2",
      "/data/x #1",
      "&a b",
      "*a",
      "!t x",
      "%x",
      "? k",
      "- x",
      "a: b",
      "\ta",
      "two\nlines",
      "\x1b[31m",
      "\xff\xfe",
      "../../x",
      "/dev/full",
      std::string(100'000, 'x'),
      std::string(3000, '['),
      std::string(400, '9'),
  };
  return values;
}

TEST_F(ConfigTest, EveryKeyTakesAnyValueOrRefusesItInOneLine) {
  int64_t taken = 0, refused = 0;
  for (const auto& setting : all_settings(Config())) {
    for (const auto& value : hostile_values()) {
      SCOPED_TRACE(setting.name + ": " + value.substr(0, 100));
      const auto in_file = setting.name + ": " + value;
      const std::function<Config()> ways[] = {[&] {
                                                return load_config("", {setting.name, value});
                                              },
                                              [&] { return load(in_file); }};
      for (const auto& way : ways) {
        Config config;
        const auto message = message_of([&] { config = way(); });
        EXPECT_LT(message.size(), 600u) << message;
        ++(message == "no error" ? taken : refused);
        if (message != "no error") continue;
        message_of([&] { validate(config); });
        const auto again = load(dump_yaml(config));
        // YAML has no bytes that are not UTF-8.
        EXPECT_TRUE(again == config || value == "\xff\xfe") << dump_yaml(config);
      }
    }
  }
  EXPECT_GT(taken, 1000);
  EXPECT_GT(refused, 5000);
}

TEST_F(ConfigTest, DamagedFilesGiveErrors) {
  const auto seed = read_file(WF_SOURCE_DIR "/cfg/demo/fashion_mnist.yaml");
  CounterRng rng{8};
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string text = seed;
    if (i % 2) text.resize(rng.below(static_cast<int64_t>(text.size())));
    for (int flips = 0; flips < 4 && !text.empty(); ++flips) {
      text[rng.below(static_cast<int64_t>(text.size()))] = static_cast<char>(rng.below(256));
    }
    try {
      load(text);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 250);
  EXPECT_NE(error(std::string(100000, '[')), "no error");
}

TEST(ConfigDocs, AreCurrent) {
  const std::string path = WF_SOURCE_DIR "/docs/config.md";
  if (std::getenv("WF_UPDATE_DOCS")) write_file(path, describe_markdown());
  EXPECT_EQ(read_file(path), describe_markdown())
      << "docs/config.md is stale: run this test with WF_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace wf::testing
