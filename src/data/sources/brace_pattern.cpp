#include "data/sources/brace_pattern.h"

#include "weightformer/core/check.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace wf {
namespace {

constexpr size_t kMostNames = 1'000'000;

std::optional<size_t> decimal(const std::string& text) {
  size_t value = 0;
  const auto end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (stop != end || problem != std::errc()) return std::nullopt;
  return value;
}

// What the text between two braces stands for.
std::vector<std::string> choices(const std::string& text, const std::string& pattern) {
  std::vector<std::string> out;
  const auto dots = text.find("..");
  if (dots == std::string::npos) {
    for (size_t begin = 0, comma = 0; comma != std::string::npos; begin = comma + 1) {
      comma = text.find(',', begin);
      out.push_back(text.substr(begin, comma - begin));
    }
    WF_CHECK(out.size() > 1, pattern, ": {", text, "} is no range as {000..146} and no list as ",
             "{a,b}");
    return out;
  }
  const auto first = text.substr(0, dots), last = text.substr(dots + 2);
  const auto begin = decimal(first), end = decimal(last);
  WF_CHECK(begin && end && *begin <= *end && *end - *begin < kMostNames, pattern, ": {", text,
           "}: expected two numbers, the smaller first, as in {000..146}");
  const bool padded = first.size() > 1 && first.front() == '0';
  for (size_t i = *begin; i <= *end; ++i) {
    auto number = std::to_string(i);
    if (padded && number.size() < first.size()) number.insert(0, first.size() - number.size(), '0');
    out.push_back(std::move(number));
  }
  return out;
}

}  // namespace

std::vector<std::string> expand_braces(const std::string& pattern) {
  std::vector<std::string> names{""};
  for (size_t at = 0; at < pattern.size();) {
    const auto open = std::min(pattern.find_first_of("{}", at), pattern.size());
    const auto literal = pattern.substr(at, open - at);
    for (auto& name : names) name += literal;
    if (open == pattern.size()) break;
    const auto close = pattern.find_first_of("{}", open + 1);
    WF_CHECK(pattern[open] == '{' && close != std::string::npos && pattern[close] == '}', pattern,
             ": braces that are nested or not closed; expected a pattern such as "
             "train-{000..146}.tar");
    const auto parts = choices(pattern.substr(open + 1, close - open - 1), pattern);
    WF_CHECK(names.size() <= kMostNames / parts.size(), pattern, ": more than ", kMostNames,
             " names");
    std::vector<std::string> longer;
    for (const auto& name : names) {
      for (const auto& part : parts) longer.push_back(name + part);
    }
    names = std::move(longer);
    at = close + 1;
  }
  return names;
}

}  // namespace wf
