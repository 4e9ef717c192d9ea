// The pages of the documentation, and the comments at the beginning of the configurations.

#include "support/sources.h"

#include <gtest/gtest.h>

#include <regex>

namespace wf::testing {
namespace {

using Lines = std::vector<std::string>;

// Characters, not bytes, of UTF-8.
size_t columns_of(const std::string& line) {
  return static_cast<size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Lines of prose that are longer than 120 columns. A row of a table cannot be wrapped.
Lines long_lines(const std::vector<SourceFile>& pages) {
  Lines found;
  for (const auto& page : pages) {
    for (size_t i = 0; i < page.lines.size(); ++i) {
      const auto& line = page.lines[i];
      if (line.rfind('|', 0) == 0 || columns_of(line) <= 120) continue;
      found.push_back(page.path + ":" + std::to_string(i + 1));
    }
  }
  return found;
}

TEST(Pages, HaveLinesOfAtMost120Columns) {
  auto pages = sources(WF_SOURCE_DIR, {"docs", "kernels"}, {".md"});
  for (const char* name : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}) {
    pages.push_back(split_lines(name, read_file(std::string(WF_SOURCE_DIR "/") + name)));
  }
  ASSERT_GT(pages.size(), 20u);
  EXPECT_EQ(long_lines(pages), Lines{});
  const std::string wide(121, 'a'), table = "| " + wide;
  EXPECT_EQ(long_lines({split_lines("a.md", wide + "\n" + table + "\n" + wide.substr(1) + "\n")}),
            Lines{"a.md:1"});
}

// What is wrong with the comment that a configuration begins with: it has a line "# Run: …" with
// the command, which names the file itself, then "# Time: …" and "# Result: …".
std::string fault_of_head(const SourceFile& file) {
  std::string head;
  for (const auto& line : file.lines) {
    if (line.rfind('#', 0) != 0) break;
    head += line + "\n";
  }
  size_t place = 0;
  for (const char* label : {"# Run:", "# Time:", "# Result:"}) {
    place = head.find(label, place);
    if (place == std::string::npos) return file.path + ": no line \"" + label + " …\" in its head";
  }
  const auto command = head.substr(head.find("# Run:"), head.find("# Time:") - head.find("# Run:"));
  if (command.find("build/bin/wf_") == std::string::npos ||
      !std::regex_search(command, std::regex("--cfg " + file.path + "(\\s|$)"))) {
    return file.path + ": its command does not begin with build/bin/wf_… --cfg " + file.path;
  }
  return "";
}

TEST(Configurations, BeginWithCommandTimeAndExpectedResult) {
  const auto files = sources(WF_SOURCE_DIR, {"cfg"}, {".yaml"});
  ASSERT_GT(files.size(), 10u);
  for (const auto& file : files) EXPECT_EQ(fault_of_head(file), "");

  const auto planted = [](const std::string& text) {
    return fault_of_head(split_lines("cfg/a.yaml", text));
  };
  const std::string run = "# A model.\n# Run:\n#   build/bin/wf_train --cfg cfg/a.yaml\n";
  EXPECT_EQ(planted(run + "# Time: an hour\n# Result: 80 %\nAMP: auto\n"), "");
  EXPECT_NE(planted(run + "# Time: an hour\nAMP: auto\n# Result: 80 %\n"), "");
  EXPECT_NE(planted("# Run: build/bin/wf_train --cfg cfg/b.yaml\n# Time: 1\n# Result: 2\n"), "");
}

// All string literals of the sources and scripts, those that follow each other joined, and the
// placeholders {…} of the log removed.
std::string messages_of_the_project() {
  std::string text;
  for (const auto& file : sources(WF_SOURCE_DIR, {"src", "tools", "cmake", "include"},
                                  {".h", ".cpp", ".cmake", ".sh", ".py"})) {
    for (const auto& line : file.lines) text += line + "\n";
  }
  text = std::regex_replace(text, std::regex("\"\\s*\n\\s*f?\""), "");
  return text;
}

// The messages in the first column of the tables: parts of the code spans between "…" that are no
// part of any message. Those of other programs are marked by "(of".
Lines unknown_messages(const SourceFile& page, const std::string& known) {
  Lines unknown;
  for (const auto& line : page.lines) {
    if (line.rfind("| `", 0) != 0) continue;
    const auto column = line.substr(2, line.find(" |", 2) - 2);
    if (column.find("(of ") != std::string::npos) continue;
    std::string message = column.substr(1, column.find('`', 1) - 1);
    message = std::regex_replace(message, std::regex("[0-9]+(?= classes)|1000(?=:)"), "…");
    size_t begin = 0;
    while (begin <= message.size()) {
      const auto end = std::min(message.find("…", begin), message.size());
      const auto part = message.substr(begin, end - begin);
      if (part.size() > 3 && known.find(part) == std::string::npos) {
        unknown.push_back(page.path + ": " + part);
      }
      begin = end + std::string("…").size();
    }
  }
  return unknown;
}

TEST(Pages, TroubleshootingQuotesMessagesThatExist) {
  const auto known = messages_of_the_project();
  const std::string page = "docs/troubleshooting.md";
  const auto text = read_file(std::string(WF_SOURCE_DIR "/") + page);
  EXPECT_EQ(unknown_messages(split_lines(page, text), known), Lines{});
  EXPECT_EQ(unknown_messages(split_lines("a.md",
                                         "| `disk … is on fire` | heat | water |\n"
                                         "| `no such file` (of a shell) | | |\n"),
                             known),
            Lines{"a.md:  is on fire"});
}

}  // namespace
}  // namespace wf::testing
