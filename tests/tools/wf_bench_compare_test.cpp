// wf_bench --save and --compare as processes. What is fast or slow here is planted: the other build
// is a script that prints figures no machine reaches.

#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

class WfBenchCompare : public ::testing::Test {
 protected:
  // A second of work for each run.
  Words small(Words more) const {
    Words words{program("wf_bench"), "--model", "wfm_nano",  "--size", "32",       "--batch", "2",
                "--steps",           "2",       "--threads", "1",      "--warmup", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  // A program that prints these figures of the model, and notes in `calls` how it was called.
  std::string other_build(double images_per_s, double peak_mib) const {
    const Json line{{"who", "weightformer"},
                    {"model", "wfm_nano"},
                    {"mode", "infer"},
                    {"batch", 2},
                    {"size", 32},
                    {"dtype", "float32"},
                    {"images_per_s_best", images_per_s},
                    {"images_per_s_median", images_per_s},
                    {"peak_mib", peak_mib}};
    const auto path = folder_ / "other";
    write_file(path, "#!/bin/sh\necho \"$@\" >> '" + (folder_ / "calls") + "'\necho '" +
                         line.dump() + "'\n");
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  // The line of the table that begins with `figure`.
  static std::string row(const Finished& end, const std::string& figure) {
    const auto begin = end.out.find("\n" + figure);
    if (begin == std::string::npos) return "no " + figure + " in:\n" + end.out + end.err;
    return end.out.substr(begin + 1, end.out.find('\n', begin + 1) - begin - 1);
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }
  TempDir folder_;
};

TEST_F(WfBenchCompare, RunsTheOtherBuildInTurnWithTheSameFlags) {
  const auto end = run(small({"--compare", other_build(1e9, 1), "--rounds", "8"}));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(end.out, "other, in turn")) << end.out;
  EXPECT_TRUE(has(row(end, "images_per_s_median"), "100.0 % slower")) << end.out;
  EXPECT_TRUE(has(row(end, "peak_mib"), "% more")) << end.out;
  EXPECT_TRUE(has(row(end, "us_per_token"), "no us_per_token")) << "only one side has it";
  std::string calls;
  for (int i = 0; i < 8; ++i) {
    calls += "--model wfm_nano --size 32 --batch 2 --steps 2 --threads 1 --warmup 0\n";
  }
  EXPECT_EQ(read_file(folder_ / "calls"), calls);
}

TEST_F(WfBenchCompare, AFewRoundsHaveNoVerdict) {
  const auto end = run(small({"--rounds", "2", "--compare", other_build(1e-9, 1e9)}));
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(row(end, "images_per_s_median"), "too few rounds to say")) << end.out;
}

TEST_F(WfBenchCompare, ASavedFileHasSettingsMachineAndEveryRound) {
  const auto file = folder_ / "saved.json";
  const auto saved = run(small({"--save", file, "--rounds", "3"}));
  ASSERT_EQ(saved.code, 0) << saved.err;
  EXPECT_TRUE(has(saved.out, "lowest")) << saved.out;
  auto json = Json::parse(read_file(file));
  EXPECT_EQ(json["flags"], Json({"--model", "wfm_nano", "--size", "32", "--batch", "2", "--steps",
                                 "2", "--threads", "1", "--warmup", "0"}));
  EXPECT_GT(json["machine"]["processors"].get<int>(), 0);
  EXPECT_FALSE(json["machine"]["processor"].get<std::string>().empty());
  EXPECT_EQ(json["build"][0]["path"], fs::canonical(program("wf_bench")).string());
  ASSERT_GE(json["figures"].size(), 4u);
  for (auto& figure : json["figures"]) {
    EXPECT_EQ(figure["rounds"].size(), 3u);
    EXPECT_LE(figure["lowest"], figure["median"]);
    EXPECT_LE(figure["median"], figure["highest"]);
    EXPECT_EQ(figure["what"]["model"], "wfm_nano");
    figure["rounds"] = std::vector<double>(8, 1e9);  // a record that this machine cannot reach
  }
  write_file(file, json.dump());
  const auto end = run({program("wf_bench"), "--compare", file, "--rounds", "5"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(has(end.out, "not in turn: the machine may have been faster")) << end.out;
  EXPECT_TRUE(has(row(end, "images_per_s_median"), "100.0 % slower")) << end.out;
  EXPECT_TRUE(has(row(end, "us_per_token"), "% faster")) << end.out;
  EXPECT_TRUE(has(row(end, "peak_mib"), "% less")) << end.out;
}

TEST_F(WfBenchCompare, AnotherBuildThatAFileNamesRunsAgainAsLongAsItIsTheSame) {
  const auto file = folder_ / "saved.json", other = other_build(1e9, 1);
  ASSERT_EQ(run(small({"--save", file, "--rounds", "1"})).code, 0);
  auto json = Json::parse(read_file(file));
  struct stat info {};
  ASSERT_EQ(::stat(other.c_str(), &info), 0);
  json["program"] = other;
  json["build"] = {{{"path", other},
                    {"size", info.st_size},
                    {"modified", info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec}}};
  write_file(file, json.dump());
  const auto in_turn = run({program("wf_bench"), "--compare", file, "--rounds", "8"});
  ASSERT_EQ(in_turn.code, 0) << in_turn.err;
  EXPECT_TRUE(has(in_turn.out, "other, in turn")) << in_turn.out;
  EXPECT_TRUE(has(row(in_turn, "images_per_s_best"), "100.0 % slower")) << in_turn.out;
  write_file(other, read_file(other) + "# rebuilt\n");
  const auto recorded = run({program("wf_bench"), "--compare", file, "--rounds", "1"});
  ASSERT_EQ(recorded.code, 0) << recorded.err;
  EXPECT_TRUE(has(recorded.out, "not in turn")) << recorded.out;
}

TEST_F(WfBenchCompare, BadInputIsOneLine) {
  write_file(folder_ / "words.json", "{}");
  write_file(folder_ / "false", "#!/bin/sh\nexit 3\n");
  write_file(folder_ / "silent", "#!/bin/sh\n");
  for (const char* name : {"false", "silent"}) {
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }
  const auto expect_error = [&](const std::string& other, const std::string& message) {
    const auto end = run(small({"--compare", folder_ / other, "--rounds", "1"}));
    EXPECT_EQ(end.code, 2) << end.out;
    EXPECT_EQ(end.err, "error: " + (folder_ / other) + message + "\n");
  };
  expect_error("nothing", ": cannot open");
  expect_error("words.json", ": neither a program nor a file of wf_bench --save");
  expect_error("false", ": ended with exit code 3");
  expect_error("silent", ": printed no figures");
  const auto file = folder_ / "saved.json";
  ASSERT_EQ(run(small({"--save", file, "--rounds", "1"})).code, 0);
  const auto flags = run(small({"--compare", file, "--floor"}));
  EXPECT_EQ(flags.code, 2) << flags.out;
  EXPECT_TRUE(has(flags.err, "was measured with other flags")) << flags.err;
}

}  // namespace
}  // namespace wf::testing
