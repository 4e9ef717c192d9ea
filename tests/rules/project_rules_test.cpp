// The rules of CONTRIBUTING.md, checked on every file.

#include "support/functions.h"
#include "support/sources.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace wf::testing {
namespace {

using Lines = std::vector<std::string>;

const std::vector<std::string> kCode = {".h", ".cpp", ".cu", ".cuh"};

// "file:line: text" of every line that matches.
Lines grep(const std::vector<SourceFile>& files, const std::regex& pattern) {
  Lines found;
  for (const auto& file : files) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      if (std::regex_search(file.lines[i], pattern)) {
        found.push_back(file.path + ":" + std::to_string(i + 1) + ": " + file.lines[i]);
      }
    }
  }
  return found;
}

TEST(ProjectRules, TheLibraryNeitherPrintsNorExits) {
  const std::regex forbidden(
      R"((^|[^a-z_:.>])(printf|exit|abort)\(|std::(cout|exit|printf|abort))");
  EXPECT_EQ(grep(sources(WF_SOURCE_DIR, {"include", "src", "kernels"}, kCode), forbidden), Lines{});
  EXPECT_EQ(grep({split_lines("x.cpp", "  exit(1);\n  std::cout << 1;\n  snprintf(b, 3, \"\");")},
                 forbidden)
                .size(),
            2u);
}

TEST(ProjectRules, ThePublicHeadersHaveNoConditionals) {
  EXPECT_EQ(grep(sources(WF_SOURCE_DIR, {"include"}, {".h"}), std::regex("#\\s*if")), Lines{});
}

// Otherwise a file that is compiled without OpenMP would silently run its loops on one thread.
TEST(ProjectRules, ParallelLoopsComeFromTheHeaderThatMakesSureOfThem) {
  const Lines found = grep(sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools"}, kCode),
                           std::regex("<ATen/Parallel\\.h>"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].rfind("src/core/parallel.h:", 0), 0u) << found[0];
}

TEST(ProjectRules, NoFileIsLongerThanFiveHundredLines) {
  for (const auto& file :
       sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools", "tests"}, kCode)) {
    EXPECT_LE(file.lines.size(), 500u) << file.path;
  }
}

constexpr size_t kLongestFunction = 60, kLongestTool = 100;

Lines long_functions(const std::vector<SourceFile>& files) {
  Lines found;
  for (const auto& file : files) {
    for (const auto& function : functions_of(file)) {
      if (function.lines <= kLongestFunction) continue;
      found.push_back(file.path + ":" + std::to_string(function.line) + ": " +
                      std::to_string(function.lines) + " lines: " + function.title);
    }
  }
  return found;
}

TEST(ProjectRules, NoFunctionIsLongerThanSixtyLines) {
  EXPECT_EQ(long_functions(
                sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools", "tests"}, kCode)),
            Lines{});
}

TEST(ProjectRules, NoToolIsLongerThanAHundredLines) {
  for (const auto& file : sources(WF_SOURCE_DIR, {"tools"}, {".h", ".cpp"})) {
    EXPECT_LE(file.lines.size(), kLongestTool) << file.path;
  }
}

TEST(ProjectRules, LongFunctionsAreSeenWhereverTheyStand) {
  // `lines` in all, with as many braces closed as opened; text and comments have braces of their
  // own.
  const auto planted = [&](const std::string& before, const std::string& head, size_t lines,
                           const std::string& after = "") {
    std::string inner = "  const char* a = \"{{{\";  // {{{ it's\n  char b = '{', c = '\\'';\n";
    inner += "  auto d = R\"x({\n{)x\"; /* {\n{ */ int e = 1'000'000;\n  if (e) {\n  }\n";
    const size_t own = 1 + 7 + 1;  // head, the lines above, closing brace
    for (size_t i = own; i < lines; ++i) inner += "  f();\n";
    return long_functions({split_lines("x.cpp", before + head + " {\n" + inner + "}\n" + after)})
        .size();
  };
  EXPECT_EQ(planted("", "void f()", 60), 0u);
  EXPECT_EQ(planted("", "void f()", 61), 1u);
  EXPECT_EQ(
      planted("namespace a::b {\nnamespace {\n", "static int f(int a) noexcept", 61, "}\n}\n"), 1u);
  EXPECT_EQ(planted("template <typename T>\nclass A : public B<int> {\n", "A() : a_(1)", 61, "};"),
            1u);
  EXPECT_EQ(planted("", "template <class T>\nauto f(T a) -> int", 60), 1u) << "with its head";
  EXPECT_EQ(planted("struct alignas(8) A {\n", "int f() const", 61, "};"), 1u);
  EXPECT_EQ(planted("#define A(x) { \\\n  {\n", "TEST(Suite, Case)", 61), 1u);
  EXPECT_EQ(planted("const int a[] = {1, 2};\nstruct S { int i; } s{3};\n", "void f()", 61), 1u);
  EXPECT_EQ(long_functions(
                {split_lines("x.h", "const int kTable[] = {\n" + std::string(100, '\n') + "};\n")}),
            Lines{});
}

std::vector<SourceFile> pages() {
  auto files = sources(WF_SOURCE_DIR, {"docs"}, {".md"});
  for (const char* name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    files.push_back(split_lines(name, read_file(std::string(WF_SOURCE_DIR "/") + name)));
  }
  return files;
}

TEST(ProjectRules, NothingNamesAPathOfOneMachine) {
  auto files =
      sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools", "tests", "cfg", "cmake"},
              {".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake", ".yaml", ".txt"});
  for (auto& page : pages()) files.push_back(page);
  for (const char* name : {".ci/run", "CMakeLists.txt", "CMakePresets.json"}) {
    files.push_back(split_lines(name, read_file(std::string(WF_SOURCE_DIR "/") + name)));
  }
  // The original's YAML file that must load unchanged names a directory of its authors; this file
  // contains the pattern.
  const std::set<std::string> excused{"tests/config/config_test.cpp",
                                      "tests/rules/project_rules_test.cpp"};
  files.erase(std::remove_if(files.begin(), files.end(),
                             [&](const auto& file) { return excused.count(file.path) > 0; }),
              files.end());
  const std::regex machine(R"((^|[\s"'=`(])/(work|home|root|tmp)/)");
  EXPECT_EQ(grep(files, machine), Lines{});
  EXPECT_EQ(grep({split_lines("x.sh", "cd /work/main\na/work/b")}, machine).size(), 1u);
}

// Paths in backticks and link targets that look like files of this project.
Lines broken_paths(const std::vector<SourceFile>& files) {
  const std::regex quoted(R"(`([^`\s]+)`|\[[^\]\[=&]+\]\(([^)#\s]+)[^)]*\))");
  const std::regex ours("(\\./)?(cfg|cmake|docs|include|kernels|src|tests|tools)/[^\\s]*");
  Lines broken;
  for (const auto& file : files) {
    const auto base = std::filesystem::path(file.path).parent_path();
    for (const auto& line : file.lines) {
      for (std::sregex_iterator it(line.begin(), line.end(), quoted), end; it != end; ++it) {
        const bool link = (*it)[2].matched;
        const std::string path = link ? (*it)[2] : (*it)[1];
        if (link ? path.find("://") != std::string::npos
                 : !std::regex_match(path, ours) ||
                       path.find_first_of("*{<…") != std::string::npos ||
                       std::regex_search(path, std::regex(R"((^|/)x(_|\.))"))) {
          continue;
        }
        const std::string target = link ? (base / path).string() : path;
        if (!std::filesystem::exists(WF_SOURCE_DIR "/" + target)) {
          broken.push_back(file.path + ": " + path);
        }
      }
    }
  }
  return broken;
}

TEST(ProjectRules, EveryPathInTheDocsExists) {
  EXPECT_EQ(broken_paths(pages()), Lines{});
  EXPECT_EQ(
      broken_paths({split_lines("docs/a.md", "`src/nn/gone.cpp` [b](missing.md) `cfg/*.yaml`")}),
      (Lines{"docs/a.md: src/nn/gone.cpp", "docs/a.md: missing.md"}));
}

TEST(ProjectRules, EveryPageOfTheDocsBeginsWithWhatTheReaderCanDoAfterIt) {
  for (const auto& page : sources(WF_SOURCE_DIR, {"docs"}, {".md"})) {
    if (page.path == "docs/config.md") continue;  // generated
    ASSERT_GE(page.lines.size(), 3u) << page.path;
    EXPECT_EQ(page.lines[2].rfind("After this page you ", 0), 0u) << page.path;
  }
}

TEST(ProjectRules, TheTopLevelIsTheAgreedOne) {
  const std::set<std::string> agreed{"CMakeLists.txt",
                                     "cfg",
                                     "src",
                                     "include",
                                     "kernels",
                                     "tools",
                                     "tests",
                                     "docs",
                                     "README.md",
                                     "cmake",
                                     "LICENSE",
                                     "CMakePresets.json",
                                     "CHANGELOG.md",
                                     "CONTRIBUTING.md"};
  const std::set<std::string> made{"data", "output"};  // by the programs; ignored by git
  for (const auto& entry : std::filesystem::directory_iterator(WF_SOURCE_DIR)) {
    const auto name = entry.path().filename().string();
    if (name.front() == '.' || name.rfind("build", 0) == 0 || made.count(name)) continue;
    EXPECT_TRUE(agreed.count(name)) << name;
  }
}

}  // namespace
}  // namespace wf::testing
