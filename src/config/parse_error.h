#pragma once

#include "weightformer/core/check.h"

#include "core/registry.h"
#include "core/text.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace wf {

/// Finds the configuration key that an unknown flag may stand for, see key_of_flag().
using KeyOfFlag = std::string (*)(const std::string& flag, size_t typos);

/// The message for the flag `word`, which is not among `known`.
inline std::string explain_unknown_flag(const std::string& word,
                                        const std::vector<std::string>& known,
                                        KeyOfFlag key_of_flag) {
  const auto flag = [&](const std::string& name) {
    return str("unknown flag ", word, ", did you mean ", name, "?");
  };
  const auto longer = std::find_if(known.begin(), known.end(), [&](const std::string& name) {
    return word.size() > 3 && name.compare(0, word.size() + 1, word + "-") == 0;
  });
  if (longer != known.end()) return flag(*longer);
  const auto setting = [&](size_t typos) {
    const auto key = key_of_flag ? key_of_flag(word, typos) : "";
    return key.empty() ? "" : str("unknown flag ", word, ", did you mean --opts ", key, " VALUE?");
  };
  if (const auto message = setting(0); !message.empty()) return message;
  const auto near = nearest(word, known);
  if (edit_distance(word, near) <= std::max<size_t>(2, word.size() / 4)) return flag(near);
  if (const auto message = setting(2); !message.empty()) return message;
  return str("unknown flag ", word, "; --help lists the flags");
}

/// A one-line message for the bad command `words`; for an unknown flag, with the nearest flag or,
/// given `key_of_flag`, the nearest configuration key.
inline std::string explain(const CLI::ParseError& problem, const CLI::App& app,
                           const std::vector<std::string>& words, KeyOfFlag key_of_flag = nullptr) {
  std::vector<std::string> known;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const auto& given : words) {
    const auto word = given.substr(0, given.find('='));
    if (starts_with(word, "--") && std::find(known.begin(), known.end(), word) == known.end()) {
      return explain_unknown_flag(word, known, key_of_flag);
    }
  }
  const std::string text = problem.what();
  return text.substr(0, text.find('\n')) + "; --help lists the flags";
}

}  // namespace wf
