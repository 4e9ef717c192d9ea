// An include may only point left:
//   core ← config ← all · core ← ops ← nn ← models
//   {data, models, optim, dist, diffusion} ← engine ← checkpoint ← tools

#include "support/sources.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

namespace wf::testing {
namespace {

// What the files of a room may include from.
const std::map<std::string, std::set<std::string>>& arrow() {
  static const std::map<std::string, std::set<std::string>> allowed = [] {
    std::map<std::string, std::set<std::string>> rooms;
    rooms["core"] = {"core"};
    rooms["config"] = {"core", "config"};
    // The models embed without the configuration, which needs yaml-cpp.
    rooms["ops"] = {"core", "ops"};
    rooms["kernels"] = rooms["ops"];
    rooms["nn"] = {"core", "ops", "nn"};
    rooms["models"] = {"core", "ops", "nn", "models"};
    for (const char* room : {"data", "optim", "dist", "diffusion"}) {
      rooms[room] = {"core", "config", room};
    }
    rooms["engine"] = {"core", "config", "ops",  "nn",        "models",
                       "data", "optim",  "dist", "diffusion", "engine"};
    rooms["checkpoint"] = rooms["engine"];
    rooms["checkpoint"].insert("checkpoint");
    rooms["tools"] = rooms["checkpoint"];
    return rooms;
  }();
  return allowed;
}

// The room of "src/nn/block.cpp" is nn, of "tools/x.cpp" tools, of "kernels/cpu/x.cpp" kernels.
std::string room_of(const std::string& path) {
  std::smatch match;
  if (std::regex_match(path, match, std::regex(R"((?:src|include/weightformer)/([^/]+)/.*)"))) {
    return match[1];
  }
  return path.substr(0, path.find('/'));
}

std::vector<std::string> violations(const std::vector<SourceFile>& files) {
  static const std::regex include(R"re(\s*#\s*include\s*["<]weightformer/([^/]+)/.*)re");
  std::vector<std::string> found;
  for (const auto& file : files) {
    const auto rules = arrow().find(room_of(file.path));
    if (rules == arrow().end()) {
      found.push_back(file.path + ": in no known room");
      continue;
    }
    // Reading weights belongs to weightformer::core and must not pull the engine in.
    static const std::regex weights(
        ".*checkpoint/(pickle.*|safetensors.*|tensor_file|torch_file|"
        "tree_json|verify|weights)\\.(h|cpp)");
    const bool plain = std::regex_match(file.path, weights);
    for (size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_match(file.lines[i], match, include)) continue;
      const bool allowed = plain ? match[1] == "core" || match[1] == "checkpoint"
                                 : rules->second.count(match[1]) > 0;
      if (!allowed) {
        found.push_back(file.path + ":" + std::to_string(i + 1) + ": " + file.lines[i]);
      }
    }
  }
  return found;
}

TEST(IncludeArrow, PointsLeftInEveryFile) {
  const auto files =
      sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools"}, {".h", ".cpp", ".cu", ".cuh"});
  ASSERT_GT(files.size(), 50u);
  EXPECT_EQ(violations(files), std::vector<std::string>{});
}

TEST(IncludeArrow, ThisTestSeesAnArrowThatPointsRight) {
  const auto planted = [](const std::string& path, const std::string& include) {
    return violations({split_lines(path, "#include <vector>\n" + include + "\n")}).size();
  };
  EXPECT_EQ(planted("src/nn/block.cpp", "#include \"weightformer/models/model.h\""), 1u);
  EXPECT_EQ(planted("src/engine/trainer.cpp", "#include \"weightformer/checkpoint/checkpoint.h\""),
            1u);
  EXPECT_EQ(planted("src/data/loader.cpp", "  #include <weightformer/optim/optimizer.h>"), 1u);
  EXPECT_EQ(planted("src/models/dit.cpp", "#include \"weightformer/config/config.h\""), 1u);
  EXPECT_EQ(planted("include/weightformer/checkpoint/safetensors.h",
                    "#include \"weightformer/engine/trainer.h\""),
            1u);
  EXPECT_EQ(planted("src/attic/old.cpp", ""), 1u);
  EXPECT_EQ(planted("tools/wf_train.cpp", "#include \"weightformer/engine/trainer.h\""), 0u);
}

}  // namespace
}  // namespace wf::testing
