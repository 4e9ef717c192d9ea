#include "config/describe.h"

#include "config/values.h"
#include "core/text.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace wf {
namespace {

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(double value) {
  char buffer[64];  // the shortest text that parses to the same bits
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return {buffer, end};
}
std::string text_of(const std::string& value) {
  // Always quoted: "yes", "1e3" and "" must stay strings.
  YAML::Emitter out;
  out << YAML::DoubleQuoted << value;
  return out.c_str();
}
template <typename Enum, typename = std::enable_if_t<std::is_enum_v<Enum>>>
std::string text_of(Enum value) {
  return text_of(std::string(name_of(value)));
}
std::string text_of(AmpMode value) { return name_of(value); }  // no quotation marks: a boolean
std::string text_of(const Pair& value) {
  return "[" + text_of(value[0]) + ", " + text_of(value[1]) + "]";
}
std::string text_of(const std::vector<double>& value) {
  if (value.empty()) return "0";
  if (value.size() == 1) return text_of(value[0]);
  std::string out;
  for (double item : value) out += (out.empty() ? "[" : ", ") + text_of(item);
  return out + "]";
}
std::string text_of(const std::optional<Pair>& value) { return value ? text_of(*value) : "null"; }

const char* type_of(bool) { return "bool"; }
const char* type_of(int64_t) { return "int"; }
const char* type_of(double) { return "float"; }
const char* type_of(const std::string&) { return "string"; }
template <typename Enum, typename = std::enable_if_t<std::is_enum_v<Enum>>>
const char* type_of(Enum) {
  return "string";
}
const char* type_of(AmpMode) { return "bool or auto"; }
const char* type_of(const Pair&) { return "[float, float]"; }
const char* type_of(const std::vector<double>&) { return "float or [float, …]"; }
const char* type_of(const std::optional<Pair>&) { return "[float, float] or null"; }

template <typename Field>
std::string allowed(const Field&, const Key& key) {
  if constexpr (std::is_enum_v<Field>) {
    return describe_names<Field>();
  } else {
    return describe(key.constraint);
  }
}

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
  visit(config, [&](const auto& field, const auto&, const Key& key) {
    const auto parts = split(key.name);
    size_t level = 0;  // skip the sections that are already open
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

std::vector<Setting> all_settings(const Config& config) {
  std::vector<Setting> all;
  visit(config, [&](const auto& field, const auto&, const Key& key) {
    all.push_back({key.name, text_of(field), "", key.scope});
  });
  const Config defaults;
  size_t at = 0;
  visit(defaults, [&](const auto& field, const auto&, const Key&) {
    all[at++].default_value = text_of(field);
  });
  return all;
}

std::string list_settings(const Config& config, const std::set<Scope>& scopes) {
  std::ostringstream out;
  visit(config, [&](const auto& field, const auto&, const Key& key) {
    if (scopes.count(key.scope)) out << key.name << ": " << text_of(field) << "\n";
  });
  return out.str();
}

std::string list_settings(const Config& config, const std::vector<std::string>& prefixes) {
  std::ostringstream out;
  visit(config, [&](const auto& field, const auto&, const Key& key) {
    const auto begins = [&](const std::string& prefix) { return starts_with(key.name, prefix); };
    if (std::any_of(prefixes.begin(), prefixes.end(), begins)) {
      out << key.name << ": " << text_of(field) << "\n";
    }
  });
  return out.str();
}

std::vector<std::string> differences(const Config& before, const Config& now,
                                     const std::set<Scope>& scopes) {
  std::vector<std::string> old, out;
  visit(before, [&](const auto& field, const auto&, const Key&) { old.push_back(text_of(field)); });
  size_t at = 0;
  visit(now, [&](const auto& field, const auto&, const Key& key) {
    const auto& was = old[at++];
    const auto text = text_of(field);
    if (scopes.count(key.scope) && text != was) {
      out.push_back(str(key.name, " ", was, " → ", text));
    }
  });
  return out;
}

std::string describe_markdown() {
  std::ostringstream out;
  out << "# Configuration\n\n"
         "Generated from `src/config/keys.h`: run the tests with `WF_UPDATE_DOCS=1` to update it.\n"
         "\n"
         "A YAML file sets keys (files listed under `BASE: [other.yaml]` are read first).\n"
         "`--opts KEY VALUE …` overrides the file, and the flags of `wf_train --help` override "
         "both.\n"
         "Words on the command line are taken literally: `--tag 'run #2'` names the run `run #2`.\n"
         "`wf_train --print-config` prints the effective configuration.\n\n"
         "The scope of a key:\n\n"
         "- `evaluation` keys decide what a trained model computes: the network, and how an image "
         "becomes its\n  input. Programs take them from a checkpoint where nothing else is given.\n"
         "- `training` keys decide what is trained. All ranks must agree on both; resuming with "
         "other\n  values logs the differences.\n"
         "- `run` keys decide how the run is logged, saved and started. All ranks must agree on "
         "them.\n"
         "- `machine` keys belong to a machine or a process (paths, threads, the device) and may "
         "differ.\n\n"
         "| key | type | default | allowed | scope | meaning |\n|---|---|---|---|---|---|\n";
  const Config defaults;
  visit(defaults, [&](const auto& field, const auto&, const Key& key) {
    out << "| `" << key.name << "` | " << type_of(field) << " | `" << text_of(field) << "` | "
        << allowed(field, key) << " | " << name_of(key.scope) << " | " << key.help << " |\n";
  });
  return out.str();
}

}  // namespace wf
