#include "config/describe.h"

#include "config/values.h"

#include <charconv>
#include <sstream>

namespace wf {
namespace {

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(double value) {
  char buffer[64];  // the shortest text that reads back to the same bits
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return {buffer, end};
}
std::string text_of(const std::string& value) {
  // Always quoted: "yes", "1e3" and "" stay what they are.
  YAML::Emitter out;
  out << YAML::DoubleQuoted << value;
  return out.c_str();
}
std::string text_of(const Pair& value) {
  return "[" + text_of(value[0]) + ", " + text_of(value[1]) + "]";
}
std::string text_of(const std::optional<Pair>& value) { return value ? text_of(*value) : "null"; }

const char* type_of(bool) { return "true or false"; }
const char* type_of(int64_t) { return "whole number"; }
const char* type_of(double) { return "number"; }
const char* type_of(const std::string&) { return "text"; }
const char* type_of(const Pair&) { return "two numbers"; }
const char* type_of(const std::optional<Pair>&) { return "two numbers or null"; }

std::vector<std::string> split(const std::string& key) {
  std::vector<std::string> parts;
  std::istringstream in(key);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
  return parts;
}

}  // namespace

std::string dump_yaml(const Config& config) {
  std::ostringstream out;
  std::vector<std::string> before;  // the parts of the key above
  visit(config, [&](const auto& field, const char* key, auto&&...) {
    const auto parts = split(key);
    size_t level = 0;  // skip the sections that are open already
    while (level + 1 < std::min(parts.size(), before.size()) && parts[level] == before[level]) {
      ++level;
    }
    for (; level + 1 < parts.size(); ++level) {
      out << std::string(2 * level, ' ') << parts[level] << ":\n";
    }
    out << std::string(2 * level, ' ') << parts[level] << ": " << text_of(field) << "\n";
    before = parts;
  });
  return out.str();
}

std::vector<std::string> differences(const Config& before, const Config& now) {
  std::vector<std::string> old, out;
  visit(before, [&](const auto& field, auto&&...) { old.push_back(text_of(field)); });
  size_t at = 0;
  visit(now, [&](const auto& field, const char* key, auto&&...) {
    const auto text = text_of(field);
    if (text != old[at]) out.push_back(str(key, " ", old[at], " → ", text));
    ++at;
  });
  return out;
}

std::string describe_markdown() {
  std::ostringstream out;
  out << "# Configuration\n\n"
         "Generated from `src/config/keys.h`; the tests rewrite it with `WF_UPDATE_DOCS=1`.\n\n"
         "A YAML file sets keys (`BASE: [other.yaml]` takes another file first), `--opts KEY VALUE "
         "…`\n"
         "overrides it, the flags of `wf_train --help` override both. `wf_train --print-config` "
         "shows\n"
         "what is in force.\n\n"
         "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";
  const Config defaults;
  visit(defaults,
        [&](const auto& field, const char* key, const auto&, const char* help, const Rule& rule) {
          out << "| `" << key << "` | " << type_of(field) << " | `" << text_of(field) << "` | "
              << describe(rule) << " | " << help << " |\n";
        });
  return out.str();
}

}  // namespace wf
