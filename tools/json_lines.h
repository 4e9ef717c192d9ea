#pragma once

#include "weightformer/core/check.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <string>

namespace wf {

/// Calls use(object) for each line of a file of JSON objects. An incomplete last line is ignored
/// with a warning; any other error throws wf::Error naming file and line.
template <typename Use>
void for_each_json_line(const std::string& path, Use use) {
  using nlohmann::json;
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot open");
  int number = 0, used = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!value.is_object() && in.peek() == EOF) {
      std::cerr << "warning: " << path << ":" << number << ": incomplete line, ignored\n";
      continue;
    }
    WF_CHECK(value.is_object(), path, ":", number, ": not a JSON object");
    try {
      use(value);
    } catch (const json::exception& problem) {
      const std::string what = problem.what();  // "[json.exception.…] key 'image' not found"
      throw Error(str(path, ":", number, ": ", what.substr(what.find("] ") + 2)));
    }
    ++used;
  }
  WF_CHECK(used > 0, path, ": the file is empty");
}

}  // namespace wf
