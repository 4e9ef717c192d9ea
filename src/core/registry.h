// A name → value table whose lookup error lists the known names.
#pragma once

#include "weightformer/core/check.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace wf {

/// Number of single-character insertions, deletions and substitutions between two words
/// (Levenshtein 1966).
inline size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

/// The word of `known` that `name` most likely meant; "" when there are none.
inline std::string nearest(const std::string& name, const std::vector<std::string>& known) {
  const auto best = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  return best == known.end() ? "" : *best;
}

inline std::string join(const std::vector<std::string>& words, const std::string& separator) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

/// An explicit table of named entries, in the order they were written.
template <typename Entry>
class Registry {
 public:
  /// `what` names the kind of entry in messages, for example "model".
  Registry(std::string what, std::vector<std::pair<std::string, Entry>> entries)
      : what_(std::move(what)), entries_(std::move(entries)) {}

  /// Throws wf::Error, listing the known names, when there is no `name`.
  const Entry& at(const std::string& name) const {
    for (const auto& [known, entry] : entries_) {
      if (known == name) return entry;
    }
    throw Error(str("unknown ", what_, " '", name, "', did you mean '", nearest(name, names()),
                    "'? known: ", join(names(), ", ")));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : entries_) out.push_back(entry.first);
    return out;
  }

 private:
  std::string what_;
  std::vector<std::pair<std::string, Entry>> entries_;
};

}  // namespace wf
