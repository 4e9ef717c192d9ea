// Finds the functions of a C++ file and their lengths, for the rule that limits them. It parses as
// much of the language as clang-formatted code needs.
#pragma once

#include "support/sources.h"

#include <cctype>
#include <regex>
#include <string>
#include <vector>

namespace wf::testing {

/// `text` with comments, preprocessor lines and what is inside of literals blanked; lines stay.
inline std::string code_only(const std::string& text) {
  std::string out = text;
  size_t at = 0;
  const auto blank_to = [&](size_t end) {
    for (end = std::min(end, out.size()); at < end; ++at) {
      if (out[at] != '\n') out[at] = ' ';
    }
  };
  const auto after = [&](const std::string& what, size_t from) {
    const auto found = text.find(what, from);
    return found == std::string::npos ? text.size() : found + what.size();
  };
  const auto end_of_line = [&] {  // of a line that a backslash may continue
    size_t end = at;
    while (end < text.size() && (text[end] != '\n' || text[end - 1] == '\\')) ++end;
    return end;
  };
  const auto in_word = [&](size_t i) {
    return std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_';
  };
  while (at < text.size()) {
    const auto is = [&](const char* what) { return text.compare(at, 2, what) == 0; };
    const auto line = text.find_last_not_of(" \t", at ? at - 1 : 0);
    if (text[at] == '#' && (at == 0 || text[line] == '\n')) {
      blank_to(end_of_line());
    } else if (is("//")) {
      blank_to(end_of_line());
    } else if (is("/*")) {
      blank_to(after("*/", at + 2));
    } else if (is("R\"")) {
      const auto open = text.find('(', at);
      blank_to(after(")" + text.substr(at + 2, open - at - 2) + "\"", open));
    } else if (text[at] == '"' || (text[at] == '\'' && !in_word(at - 1))) {  // not 1'000
      size_t end = at + 1;
      while (end < text.size() && text[end] != text[at]) end += text[end] == '\\' ? 2 : 1;
      blank_to(end + 1);
    } else {
      ++at;
    }
  }
  return out;
}

struct Function {
  size_t line;        ///< of its beginning, from 1
  size_t lines;       ///< from there to its closing brace
  std::string title;  ///< the beginning of its first line
};

/// The functions of `file`, lambdas inside them not counted by themselves.
inline std::vector<Function> functions_of(const SourceFile& file) {
  static const std::regex scope(
      R"(\s*(template\s*<[^{]*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b[^()=]*)");
  static const std::regex attributed(R"(\s*(struct|class|union)\s+\w+\([^()]*\)[^()=]*)");
  std::string text;
  for (const auto& line : file.lines) text += line + "\n";
  const auto code = code_only(text);
  std::vector<Function> found;
  std::string head;  // what stands before the next brace
  size_t line = 1, head_line = 1;
  int inside = 0;  // open braces of the function or initializer that we are in
  bool function = false;
  for (const char c : code) {
    if (inside > 0) {
      inside += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (inside == 0 && function) {
        found.push_back({head_line, line - head_line + 1, file.lines[head_line - 1]});
      }
      if (inside == 0) head.clear();
    } else if (c == '{' && (std::regex_match(head, scope) || std::regex_match(head, attributed))) {
      head.clear();
    } else if (c == '{') {
      inside = 1;
      function = head.find('(') != std::string::npos;
    } else if (c == ';' || c == '}') {
      head.clear();
    } else if (!head.empty() || !std::isspace(static_cast<unsigned char>(c))) {
      if (head.empty()) head_line = line;
      head += c;
    }
    if (c == '\n') ++line;
  }
  // Must not count as a file of short functions.
  if (inside > 0) found.push_back({head_line, file.lines.size(), "braces that do not match"});
  return found;
}

}  // namespace wf::testing
