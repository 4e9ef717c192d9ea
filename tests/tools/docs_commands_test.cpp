// The commands in the documentation use programs, scripts and flags that exist.

#include "support/process.h"
#include "support/sources.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>

namespace wf::testing {
namespace {

// A flag and the program or script that it belongs to, such as "wf_train" or "tools/demo.sh".
struct FlagUse {
  std::string program, flag, where;
};

// The flags after `program` in one command: up to a quotation mark, comment, pipe or backtick.
std::vector<FlagUse> flag_uses(const SourceFile& page) {
  static const std::regex start(
      R"((wf_(?:train|infer|convert|prepare|report|pack|bench|sample|scale|fid|export|ema|encode|summary|erf|explain|doctor)|tools/\w+\.sh)\b)");
  static const std::regex flag(R"((?:^|[\s\[(])(--[a-z][a-z-]*))");
  std::vector<FlagUse> uses;
  std::string command;
  for (size_t i = 0; i < page.lines.size(); ++i) {
    const auto& line = page.lines[i];
    command += line;
    if (!line.empty() && line.back() == '\\') {
      command.back() = ' ';
      continue;
    }
    for (std::sregex_iterator it(command.begin(), command.end(), start), end; it != end; ++it) {
      const std::string rest = it->suffix().str();
      const auto arguments = rest.substr(0, rest.find_first_of("'`#|;"));
      for (std::sregex_iterator f(arguments.begin(), arguments.end(), flag); f != end; ++f) {
        uses.push_back({(*it)[1], (*f)[1], page.path + ":" + std::to_string(i + 1)});
      }
    }
    command.clear();
  }
  return uses;
}

// What a program prints for --help, or the text of a script.
const std::string& known_flags(const std::string& name) {
  static std::map<std::string, std::string> texts;
  auto& text = texts[name];
  if (text.empty() && name.rfind("wf_", 0) == 0) {
    text = run({program(name), "--help"}).out + " --help --version ";
  } else if (text.empty()) {
    text = read_file(std::string(WF_SOURCE_DIR "/") + name);
  }
  return text;
}

bool is_known(const FlagUse& use) {
  if (use.program == "tools/slurm.sh") return is_known({"wf_train", use.flag, use.where});
  const std::regex full_flag(use.flag + "(?![a-z-])");
  return std::regex_search(known_flags(use.program), full_flag);
}

TEST(DocsCommands, UseFlagsThatExist) {
  auto pages = sources(WF_SOURCE_DIR, {"docs"}, {".md"});
  for (const char* name : {"README.md", "CONTRIBUTING.md"}) {
    pages.push_back(split_lines(name, read_file(std::string(WF_SOURCE_DIR "/") + name)));
  }
  size_t count = 0;
  for (const auto& page : pages) {
    for (const auto& use : flag_uses(page)) {
      EXPECT_TRUE(is_known(use)) << use.where << ": " << use.program << " has no " << use.flag;
      ++count;
    }
  }
  EXPECT_GT(count, 50u) << "the commands were not found";
}

TEST(DocsCommands, PlantedMistakesAreFound) {
  const auto uses = flag_uses(split_lines(
      "docs/a.md",
      "torchrun --no-python build/bin/wf_train --cfg a.yaml \\\n  --datapath b | tee c\n"));
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].flag, "--cfg");
  EXPECT_TRUE(is_known(uses[0]));
  EXPECT_EQ(uses[1].where, "docs/a.md:2");
  EXPECT_FALSE(is_known(uses[1]));
  EXPECT_FALSE(is_known({"wf_train", "--data", ""})) << "a prefix of --data-path";
}

}  // namespace
}  // namespace wf::testing
