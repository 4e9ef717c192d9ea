// Words that the project does not use, see docs/glossary.md.

#include "support/functions.h"
#include "support/sources.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <utility>

namespace wf::testing {
namespace {

// A pattern of words, and what to write instead.
const std::vector<std::pair<std::string, std::string>> kWords{
    {"wholes?|wholly", "full, complete, valid, integer"},
    {"alone", "only, single"},
    {"rooms?", "space, memory, module"},
    {"go on|goes on|going on|went on", "continue, resume"},
    {"lies", "is"},
    {"likewise", "the same"},
    {"anew|afresh", "again, newly, from scratch"},
    {"nobody|somebody|anybody", "the subject that is meant"},
    {"said|says", "log, print, report, contain"},
    {"afar", "remotely"},
    {"bent", "corrupted, mutated"},
    {"pictures?(?![.:])", "image; the output of a demo may be a picture"},
    {"folders?", "directory"},
    {"(?!standard )\\w+ deviations?", "standard deviation"},
    {"averaged weights", "EMA weights"},
};

// Lines that may use such a word: their file and a part of them.
const std::vector<std::pair<std::string, std::string>> kExceptions{
    {"tools/demo.sh", "pictures of its predictions"},
    {"src/engine/classification/evaluation_report.cpp", "class,pictures,right"},  // a file format
};

const std::regex& unused_words() {
  static const std::regex pattern = [] {
    std::string words;
    for (const auto& [word, better] : kWords) words += (words.empty() ? "\\b(" : "|") + word;
    return std::regex(words + ")\\b", std::regex::icase);
  }();
  return pattern;
}

// "AModelLearns" → " A Model Learns"
std::string words_of_name(const std::string& name) {
  return std::regex_replace(name, std::regex("[A-Z]"), " $&");
}

// The comments, string literals and names of tests of a C++ file, line by line.
SourceFile prose_of(const SourceFile& file) {
  static const std::regex test(R"(^(TYPED_)?TEST(_[FP])?\(\w+, (\w+)\))");
  std::string text;
  for (const auto& line : file.lines) text += line + "\n";
  const auto code = code_only(text);
  for (size_t i = 0; i < text.size(); ++i) {
    if (code[i] != ' ' && code[i] != '\n') text[i] = ' ';
  }
  auto prose = split_lines(file.path, text);
  for (size_t i = 0; i < prose.lines.size(); ++i) {
    const auto& line = file.lines[i];
    std::smatch match;
    if (line.find_first_not_of(' ') == line.find('#')) prose.lines[i].clear();  // preprocessor
    if (std::regex_search(line, match, test)) prose.lines[i] += words_of_name(match[3]);
  }
  return prose;
}

std::vector<std::string> found_in(const std::vector<SourceFile>& files,
                                  std::set<size_t>* used = nullptr) {
  std::vector<std::string> found;
  for (const auto& file : files) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const auto& line = file.lines[i];
      std::smatch match;
      if (!std::regex_search(line, match, unused_words())) continue;
      bool excused = false;
      for (size_t k = 0; k < kExceptions.size(); ++k) {
        const auto& [path, part] = kExceptions[k];
        if (path != file.path || line.find(part) == std::string::npos) continue;
        excused = true;
        if (used) used->insert(k);
      }
      if (excused) continue;
      found.push_back(file.path + ":" + std::to_string(i + 1) + ": '" + match.str() + "'");
    }
  }
  return found;
}

std::vector<SourceFile> prose_of_the_project() {
  std::vector<SourceFile> files;
  for (const auto& file : sources(WF_SOURCE_DIR, {"include", "src", "kernels", "tools", "tests"},
                                  {".h", ".cpp", ".cu", ".cuh"})) {
    if (file.path != "tests/rules/vocabulary_test.cpp") files.push_back(prose_of(file));
  }
  for (auto& file : sources(WF_SOURCE_DIR, {"docs", "cfg", "cmake", "tools", "tests", "kernels"},
                            {".md", ".yaml", ".cmake", ".txt", ".sh", ".py"})) {
    if (file.path.rfind("tests/golden/", 0) != 0) files.push_back(std::move(file));
  }
  for (const char* name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CMakeLists.txt"}) {
    files.push_back(split_lines(name, read_file(std::string(WF_SOURCE_DIR "/") + name)));
  }
  return files;
}

TEST(Vocabulary, UsesTheTermsOfTheGlossary) {
  std::set<size_t> used;
  EXPECT_EQ(found_in(prose_of_the_project(), &used), std::vector<std::string>{});
  EXPECT_EQ(used.size(), kExceptions.size()) << "an exception is not needed any more";
  EXPECT_LE(kExceptions.size(), 10u);
}

TEST(Vocabulary, PlantedWordsAreFound) {
  const auto planted = [](const std::string& line) {
    return found_in({prose_of(split_lines("x.cpp", line + "\n"))}).size();
  };
  EXPECT_EQ(planted("// The run goes on."), 1u);
  EXPECT_EQ(planted("f();  /// A Folder."), 1u);
  EXPECT_EQ(planted("log(\"a whole file\");"), 1u);
  EXPECT_EQ(planted("TEST(Reader, ReadsThePicture) {"), 1u);
  EXPECT_EQ(planted("// noise of deviation 2"), 1u);
  EXPECT_EQ(planted("// noise of standard deviation 2, drawn when the run resumes"), 0u);
  EXPECT_EQ(planted("const auto folder = picture.whole();  // a directory"), 0u);
  EXPECT_EQ(planted("#include \"data/image/image_decoder.h\""), 0u);
  EXPECT_EQ(found_in({split_lines("docs/a.md", "a file of its own\nNobody says it.")}).size(), 1u);
}

}  // namespace
}  // namespace wf::testing
