#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "support/process.h"
#include "support/temp_dir.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace wf::testing {
namespace {

TEST(WfScale, PrintsATableAndWhetherTheTimesWereMeasured) {
  const auto assumed = run({program("wf_scale"), "--model", "dit_s_2", "--tflops", "100"});
  ASSERT_EQ(assumed.code, 0) << assumed.err;
  EXPECT_NE(assumed.out.find("150.3 MB of gradients"), std::string::npos) << assumed.out;
  EXPECT_NE(assumed.out.find("ASSUMED"), std::string::npos) << assumed.out;
  EXPECT_NE(assumed.out.find("| 1024 | 32768 |"), std::string::npos) << assumed.out;
  const auto measured =
      run({program("wf_scale"), "--forward-ms", "10", "--backward-ms", "20", "--gpus", "1"});
  EXPECT_NE(measured.out.find("compute 30.0 ms measured"), std::string::npos) << measured.out;
  EXPECT_NE(measured.out.find("| 1 | 256 | 30.00 | 0.00 | 0.00 | 100.0 % |"), std::string::npos)
      << measured.out;
}

TEST(WfScale, TakesWhatWfBenchMeasured) {
  const TempDir folder;
  const auto bench = run({program("wf_bench"), "--model", "wfm_t", "--mode", "train", "--size",
                          "32", "--batch", "2", "--steps", "3", "--phases"});
  ASSERT_EQ(bench.code, 0) << bench.err;
  write_file(folder / "bench.jsonl", bench.out);
  const auto line = nlohmann::json::parse(bench.out);
  const double sum = line["forward_ms"].get<double>() + line["backward_ms"].get<double>() +
                     line["rest_ms"].get<double>();
  EXPECT_GT(line["forward_ms"], 0);
  const auto table = run({program("wf_scale"), "--bench", folder / "bench.jsonl", "--gpus", "1,8"});
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find(fmt::format("wfm_t, batch 2 per GPU, 28.3 MB of gradients per step; "
                                       "compute {:.1f} ms measured",
                                       sum)),
            std::string::npos)
      << table.out;
  for (const auto& [text, expected] : {std::pair{"{\"model\": \"wfm_tiny\"}", ":1: no batch in it"},
                                       {"[]", ":1: no model in it"},
                                       {"", ": empty"}}) {
    write_file(folder / "bad.jsonl", text);
    const auto end = run({program("wf_scale"), "--bench", folder / "bad.jsonl"});
    EXPECT_EQ(end.code, 2) << end.out;
    EXPECT_NE(end.err.find(expected), std::string::npos) << end.err;
  }
}

TEST(WfScale, CountsTheParametersThatTheModelsHave) {
  const auto counted = [](const std::string& name, const torch::nn::Module& model) {
    double count = 0;
    for (const auto& p : model.parameters()) count += p.requires_grad() ? double(p.numel()) : 0;
    const auto end = run({program("wf_scale"), "--model", name, "--tflops", "100"});
    EXPECT_NE(end.out.find(fmt::format("{:.1f} MB of gradients", 4e-6 * count)), std::string::npos)
        << name << ": " << count << "\n"
        << end.out;
  };
  for (const char* name : {"wfm_tiny", "wfm_small", "wfm_base"}) {
    counted(name, *create_classifier(name));
  }
  for (const char* name : {"dit_s_2", "dit_b_2"}) counted(name, *create_dit(name));
}

TEST(WfScale, RefusesToGuessTheComputeTime) {
  const auto end = run({program("wf_scale")});
  EXPECT_EQ(end.code, 2) << end.out;
  EXPECT_NE(end.err.find("either --bench"), std::string::npos) << end.err;
  for (const char* name : {"wfm_x", "wfm_", "zzzzzz"}) {
    EXPECT_EQ(run({program("wf_scale"), "--model", name, "--tflops", "1"}).code, 2) << name;
  }
}

}  // namespace
}  // namespace wf::testing
