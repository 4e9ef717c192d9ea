#include "support/process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace wf::testing {
namespace {

// The sum of the column of parameters over the lines of layers.
int64_t listed_parameters(const std::string& text) {
  int64_t sum = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, kind;
    int64_t count = 0;
    if (line.find(" %") != std::string::npos && words >> name >> kind >> count) sum += count;
  }
  return sum;
}

TEST(WfSummary, TheLayersHaveAllParametersAtAnyDepth) {
  size_t before = 0;
  for (const char* depth : {"1", "2", "3"}) {
    const auto end =
        run({program("wf_summary"), "--depth", depth, "--opts", "MODEL.NAME", "wfm_tiny"});
    ASSERT_EQ(end.code, 0) << end.err;
    EXPECT_EQ(listed_parameters(end.out), 7'074'184) << end.out;
    EXPECT_NE(end.out.find("wfm_tiny, 224 x 224: 7,074,184 parameters, 1.1"), std::string::npos);
    EXPECT_NE(end.out.find("weights 27.0 MiB; in training 107.9 MiB"), std::string::npos)
        << end.out;
    const auto lines = static_cast<size_t>(std::count(end.out.begin(), end.out.end(), '\n'));
    EXPECT_GT(lines, before);
    before = lines;
  }
}

TEST(WfSummary, BadNamesAreOneLine) {
  const auto end = run({program("wf_summary"), "--opts", "MODEL.NAME", "wfm_tinny"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("did you mean 'wfm_tiny'"), std::string::npos) << end.err;
}

}  // namespace
}  // namespace wf::testing
