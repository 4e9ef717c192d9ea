// Dependencies point left only:
//
//   core ← {serialization, config}; core ← ops ← nn; {nn, serialization} ← models; ops ← kernels
//
//   core ← runtime; {core, config} ← diffusion; core ← metrics; serialization ← data
//
//   {runtime, config, models, data, optim, dist, diffusion, metrics} ← engine ← checkpoint ← tools
//
//   {models, data} ← export ← tools

#include "support/sources.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

namespace wf::testing {
namespace {

using Modules = std::set<std::string>;

Modules operator+(Modules a, const Modules& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// The modules that the files of a module may include from.
const std::map<std::string, Modules>& layering() {
  static const std::map<std::string, Modules> allowed = [] {
    std::map<std::string, Modules> m;
    m["core"] = {"core"};
    m["serialization"] = {"core", "serialization"};
    m["ops"] = {"core", "ops"};
    m["kernels"] = {"core", "ops", "kernels"};  // and nothing includes kernels
    m["nn"] = m["ops"] + Modules{"nn"};
    // The models embed without the configuration, which needs yaml-cpp.
    m["models"] = m["nn"] + Modules{"models", "serialization"};
    m["runtime"] = {"core", "runtime"};
    m["config"] = {"core", "config"};
    m["dist"] = {"core", "config", "runtime", "dist"};
    m["data"] = {"core", "serialization", "config", "runtime", "data"};  // latents are tensors
    m["optim"] = {"core", "config", "optim"};
    m["diffusion"] = {"core", "config", "diffusion"};  // a denoiser is a function there
    m["metrics"] = {"core", "metrics"};                // features come in as tensors
    m["engine"] = m["models"] + m["data"] + m["dist"] + m["optim"] + m["diffusion"] + m["metrics"] +
                  Modules{"engine"};
    m["checkpoint"] = m["engine"] + m["serialization"] + Modules{"checkpoint"};
    m["export"] = m["models"] + m["data"] + Modules{"export"};
    m["tools"] = m["checkpoint"] + Modules{"export", "tools"};
    return m;
  }();
  return allowed;
}

// "nn" for src/nn/block.cpp and for include/weightformer/nn/block.h; otherwise the top directory.
std::string module_of(const std::string& path) {
  std::smatch match;
  if (std::regex_match(path, match, std::regex(R"((?:src|include/weightformer)/([^/]+)/.*)"))) {
    return match[1];
  }
  return path.substr(0, path.find('/'));
}

// The module that an include names: "weightformer/nn/block.h" and "nn/block.h" are of nn,
// "kernels/cuda/pack.cuh" of kernels; a bare "x.h" is of the file's own module. Empty for the
// headers of others, which are in angle brackets.
std::string module_included(const std::string& line, const std::string& own) {
  static const std::regex ours(R"re(\s*#\s*include\s*["<]weightformer/([^/]+)/.*)re");
  static const std::regex quoted(R"re(\s*#\s*include\s*"(?:([^/"]+)/)?[^"]*".*)re");
  std::smatch match;
  if (std::regex_match(line, match, ours)) return match[1];
  if (std::regex_match(line, match, quoted)) return match[1].matched ? match[1].str() : own;
  return "";
}

std::vector<std::string> violations(const std::vector<SourceFile>& files) {
  std::vector<std::string> found;
  for (const auto& file : files) {
    const auto own = module_of(file.path);
    const auto rule = layering().find(own);
    if (rule == layering().end()) {
      found.push_back(file.path + ": in no known module");
      continue;
    }
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const auto module = module_included(file.lines[i], own);
      if (module.empty() || rule->second.count(module)) continue;
      found.push_back(file.path + ":" + std::to_string(i + 1) + ": " + file.lines[i]);
    }
  }
  return found;
}

std::vector<SourceFile> all_code() {
  return sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools"},
                 {".h", ".cpp", ".cu", ".cuh"});
}

TEST(Layering, HoldsInEveryFile) {
  const auto files = all_code();
  ASSERT_GT(files.size(), 50u);
  EXPECT_EQ(violations(files), std::vector<std::string>{});
}

TEST(Layering, PublicHeadersIncludeOnlyPublicHeaders) {
  static const std::regex internal(R"re(\s*#\s*include\s*"(?!weightformer/).*)re");
  std::vector<std::string> found;
  for (const auto& file : sources(WF_SOURCE_DIR, {"include"}, {".h"})) {
    for (const auto& line : file.lines) {
      if (std::regex_match(line, internal)) found.push_back(file.path + ": " + line);
    }
  }
  EXPECT_EQ(found, std::vector<std::string>{});
}

TEST(Layering, ThisTestSeesPlantedViolations) {
  const auto planted = [](const std::string& path, const std::string& include) {
    return violations({split_lines(path, "#include <vector>\n" + include + "\n")}).size();
  };
  EXPECT_EQ(planted("src/nn/block.cpp", "#include \"weightformer/models/model.h\""), 1u);
  EXPECT_EQ(planted("src/engine/trainer.cpp", "#include \"checkpoint/checkpoint.h\""), 1u);
  EXPECT_EQ(planted("src/data/loader.cpp", "  #include <weightformer/optim/optimizer.h>"), 1u);
  EXPECT_EQ(planted("src/models/dit.cpp", "#include \"weightformer/config/config.h\""), 1u);
  EXPECT_EQ(planted("src/serialization/weights.cpp", "#include \"engine/build.h\""), 1u);
  EXPECT_EQ(planted("src/ops/token_pool.cpp", "#include \"kernels/cpu/vectors.h\""), 1u);
  EXPECT_EQ(planted("src/core/memory.cpp", "#include \"runtime/log.h\""), 1u);
  EXPECT_EQ(planted("src/metrics/frechet_distance.cpp", "#include \"models/inception.h\""), 1u);
  EXPECT_EQ(planted("src/attic/old.cpp", ""), 1u);
  EXPECT_EQ(planted("kernels/cpu/token_pool_kernel.cpp", "#include \"ops/op_common.h\""), 0u);
  EXPECT_EQ(planted("tools/wf_train.cpp", "#include \"weightformer/engine/trainer.h\""), 0u);
}

}  // namespace
}  // namespace wf::testing
