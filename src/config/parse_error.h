#pragma once

#include "weightformer/core/check.h"

#include "core/registry.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace wf {

/// One line on what is wrong with the command `words`; for a flag that `app` does not have, with
/// the nearest that it has.
inline std::string explain(const CLI::ParseError& problem, const CLI::App& app,
                           const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const auto& given : words) {
    const auto word = given.substr(0, given.find('='));
    if (word.rfind("--", 0) == 0 && std::find(known.begin(), known.end(), word) == known.end()) {
      return str("unknown flag ", word, ", did you mean ", nearest(word, known), "?");
    }
  }
  const std::string text = problem.what();
  return text.substr(0, text.find('\n')) + "; --help lists the flags";
}

}  // namespace wf
