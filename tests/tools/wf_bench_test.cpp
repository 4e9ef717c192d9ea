#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <sstream>

namespace wf::testing {
namespace {

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line));
  return out;
}

std::vector<std::string> command(const std::vector<std::string>& more) {
  std::vector<std::string> words{program("wf_bench"), "--model", "wfm_nano", "--steps", "2",
                                 "--warmup",          "1",       "--batch",  "2"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(WfBench, PrintsTheSpeedOfAModelInEveryModeAndPrecision) {
  for (const char* mode : {"infer", "train"}) {
    for (const char* dtype : {"float32", "bfloat16"}) {
      const auto end = run(command({"--mode", mode, "--dtype", dtype}));
      ASSERT_EQ(end.code, 0) << end.err;
      const auto line = json_lines(end.out).at(0);
      EXPECT_EQ(line["mode"], mode);
      EXPECT_EQ(line["dtype"], dtype);
      EXPECT_EQ(line["size"], 64);
      EXPECT_GE(line["images_per_s_best"].get<double>(), line["images_per_s_median"].get<double>());
      EXPECT_GT(line["images_per_s_median"].get<double>(), 0);
      EXPECT_GT(line["peak_mib"].get<double>(), 0);
    }
  }
}

TEST(WfBench, TimesOnlyTheProductsOfAStep) {
  for (const char* mode : {"infer", "train"}) {
    const auto end = run(command({"--mode", mode, "--floor"}));
    ASSERT_EQ(end.code, 0) << end.err;
    const auto line = json_lines(end.out).at(0);
    // Each of the five blocks has two linear layers, and a backward pass two products for each.
    EXPECT_GE(line["floor_calls"].get<int>(), mode == std::string("train") ? 30 : 10);
    EXPECT_GT(line["floor_ms"].get<double>(), 0);
    EXPECT_GT(line["floor_gflop_per_s"].get<double>(), 0);
    EXPECT_GT(line["floor_share"].get<double>(), 0);
  }
}

// What a training step moves must not grow unnoticed. The numbers are those of today: lower them
// when it moves less.
TEST(WfBench, AStepMovesNoMoreThanItDid) {
  struct Most {
    const char* model;
    int calls;
    double mb;
  };
  for (const auto& most : {Most{"wfm_nano", 370, 9.5}, Most{"dit_nano", 605, 6.4}}) {
    const auto end =
        run({program("wf_bench"), "--model", most.model, "--mode", "train", "--dtype", "bfloat16",
             "--batch", "2", "--steps", "1", "--warmup", "0", "--traffic"});
    ASSERT_EQ(end.code, 0) << end.err;
    const auto line = json_lines(end.out).at(0);
    EXPECT_LE(line["op_calls"].get<int>(), most.calls) << line["ops"];
    EXPECT_LE(line["moved_mb"].get<double>(), most.mb) << line["ops"];
    EXPECT_GT(line["ops"]["wf::layer_norm"][0].get<int>(), 5) << line["ops"];
    EXPECT_EQ(line["ops"]["wf::layer_norm"][0], line["ops"]["wf::layer_norm_backward"][0]);
  }
}

// The same at full size on tensors without data, as a GPU would run it: the figures of
// docs/performance.md.
TEST(WfBench, OnAGpuAStepWouldMoveNoMoreThanItDid) {
  struct Most {
    const char* model;
    int blocks, dynamic, kernels;
    double gb;
  };
  for (const auto& most : {Most{"wfm_s", 17, 6, 990, 81.6}, Most{"wfm_t", 17, 6, 995, 45.3},
                           Most{"dit_s_2", 15, 5, 1360, 93}}) {
    const auto end = run({program("wf_bench"), "--model", most.model, "--mode", "train", "--dtype",
                          "bfloat16", "--batch", "256", "--device", "meta", "--traffic"});
    ASSERT_EQ(end.code, 0) << end.err;
    const auto lines = json_lines(end.out);
    ASSERT_EQ(lines.size(), 3u);
    const auto sum = [](const nlohmann::json& line, const char* what) {
      return line["forward"][what].get<double>() + line["backward"][what].get<double>();
    };
    EXPECT_EQ(lines[0]["part"], "static block");
    EXPECT_EQ(lines[1]["part"], "dynamic block");
    // Layers 1, 4, 7, … are dynamic; embedding, last norm and head come in addition.
    for (const char* what : {"kernels", "gb", "gflop"}) {
      const double of_blocks =
          most.dynamic * sum(lines[1], what) + (most.blocks - most.dynamic) * sum(lines[0], what);
      EXPECT_GT(sum(lines[2], what), of_blocks) << what;
      EXPECT_LT(sum(lines[2], what), 1.1 * of_blocks) << what;
    }
    EXPECT_LE(sum(lines[2], "kernels"), most.kernels) << lines[2]["ops"];
    EXPECT_LE(sum(lines[2], "gb"), most.gb) << lines[2]["ops"];
  }
  const auto refused = run(command({"--device", "meta"}));
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("it needs --traffic"), std::string::npos) << refused.err;
}

TEST(WfBench, WritesATraceOfOneStep) {
  const TempDir dir;
  const auto path = dir / "trace.json";
  const auto end = run(command({"--mode", "train", "--trace", path}));
  ASSERT_EQ(end.code, 0) << end.err;
  std::set<std::string> names;
  const auto trace = nlohmann::json::parse(read_file(path));
  for (const auto& event : trace.at("traceEvents")) {
    names.insert(event.value("name", ""));
  }
  for (const char* name : {"wf::layer_norm", "wf::layer_norm_backward", "wf::dynamic_dwconv",
                           "aten::gelu", "aten::_fused_adamw_"}) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
  const auto refused = run(command({"--trace", dir / "no/trace.json"}));
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("cannot be written"), std::string::npos) << refused.err;
}

TEST(WfBench, KnowsTheDiffusionModels) {
  const auto dit = [](const std::vector<std::string>& more) {
    std::vector<std::string> words{program("wf_bench"), "--model", "dit_nano",  "--steps", "1",
                                   "--warmup",          "0",       "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  for (const char* mode : {"infer", "train"}) {
    for (const char* dtype : {"float32", "bfloat16"}) {
      const auto end = dit({"--mode", mode, "--dtype", dtype, "--batch", "2"});
      ASSERT_EQ(end.code, 0) << end.err;
      const auto line = json_lines(end.out).at(0);
      EXPECT_EQ(line["model"], "dit_nano");
      EXPECT_EQ(line["mode"], mode);
      EXPECT_EQ(line["size"], 8);
      EXPECT_GT(line["images_per_s_median"].get<double>(), 0);
    }
  }
  const auto sweep = dit({"--sweep", "resolution", "--batch", "1"});
  ASSERT_EQ(sweep.code, 0) << sweep.err;
  EXPECT_EQ(json_lines(sweep.out).size(), 6u);
  EXPECT_EQ(json_lines(sweep.out).back()["size"], 48);
  EXPECT_EQ(json_lines(dit({"--ops"}).out).size(), 13u);
  const auto odd = dit({"--size", "9"});
  EXPECT_EQ(odd.code, 2);
  EXPECT_NE(odd.err.find("multiples of the patch, 2"), std::string::npos) << odd.err;
}

TEST(WfBench, PrintsALineForEveryOperator) {
  const auto end = run(command({"--ops"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto lines = json_lines(end.out);
  ASSERT_EQ(lines.size(), 13u);
  for (const auto& line : lines) {
    EXPECT_GT(line["forward_us"].get<double>(), 0) << line;
    EXPECT_GT(line["both_us"].get<double>(), 0) << line;
  }
}

TEST(WfBench, PrintsTheSpeedOfTheLoaderOnAnyImageDirectory) {
  for (int64_t workers : {0, 2}) {
    const auto end = run({program("wf_bench"), "--data", WF_GOLDEN_DIR "/images", "--size", "64",
                          "--passes", "1", "--workers", std::to_string(workers)});
    ASSERT_EQ(end.code, 0) << end.err;
    const auto line = json_lines(end.out).at(0);
    EXPECT_EQ(line["images"], 11);  // a flat directory; an upper limit is not reached
    EXPECT_EQ(line["workers"], workers);
    for (const char* row : {"crop", "recipe", "eval", "mb_per_s"}) {
      EXPECT_GT(line[row].get<double>(), 0) << row;
    }
    EXPECT_FALSE(line.contains("data_wait"));
  }
}

TEST(WfBench, PrintsTheFractionOfTimeWaitingForImages) {
  const auto end =
      run(command({"--data", WF_GOLDEN_DIR "/images", "--passes", "1", "--images", "3"}));
  ASSERT_EQ(end.code, 0) << end.err;
  const auto line = json_lines(end.out).at(0);
  EXPECT_EQ(line["images"], 3);
  EXPECT_GT(line["data_wait"].get<double>(), 0);
  EXPECT_LT(line["data_wait"].get<double>(), 1);
}

TEST(WfBench, BadFlagsAreOneLineAndExitCodeTwo) {
  for (const std::vector<std::string>& bad : {std::vector<std::string>{"--mode", "walk"},
                                              {"--stepz", "3"},
                                              {"--steps", "x"},
                                              {"--dtype", "int8"},
                                              {"--dynamic-linear", "fast"},
                                              {"--model", "wfm_tinny"},
                                              {"--model", "dit_s2"},
                                              {"--data", "nowhere"},
                                              {"--batch"}}) {
    const auto end = run(command(bad));
    EXPECT_EQ(end.code, 2) << bad[0] << end.err;
    EXPECT_EQ(end.err.rfind("error: ", 0), 0u) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
  }
}

TEST(WfBench, AMisspeltFlagIsAnsweredWithTheNearest) {
  const auto end = run({program("wf_bench"), "--wieghts", "x.pth"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err, "error: unknown flag --wieghts, did you mean --weights?\n");
}

TEST(WfBench, HelpNamesTheModels) {
  const auto end = run({program("wf_bench"), "--help"});
  EXPECT_EQ(end.code, 0);
  for (const char* name : {"--model NAME", "wfm_base", "dit_s_4"}) {
    EXPECT_NE(end.out.find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace wf::testing
