#include "config/load.h"

#include "config/key_search.h"
#include "config/values.h"
#include "core/registry.h"
#include "core/text.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <type_traits>

namespace wf {
namespace {

namespace fs = std::filesystem;

std::string first_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  return text.substr(0, 200);
}

// The line on which a second document, or text that belongs to none, begins; 0: there is none.
// YAML::LoadAll() would read such text, as in ", x]", again and again until memory ends.
int second_document(const std::string& text) {
  struct Place : YAML::EventHandler {
    int line = 0;
    void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line + 1; }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
  };
  std::istringstream in(text);
  YAML::Parser parser(in);
  Place place;
  const bool more = parser.HandleNextDocument(place) && parser.HandleNextDocument(place);
  return more ? place.line : 0;
}

[[noreturn]] void unknown_key(const std::string& key, const std::string& origin) {
  WF_CHECK(key != "BASE", origin, ": BASE is only for configuration files");
  const auto keys = key_names();
  const auto inside = std::find_if(keys.begin(), keys.end(),
                                   [&](const auto& name) { return starts_with(name, key + "."); });
  WF_CHECK(inside == keys.end(), origin, ": ", key, " is a section: set a key in it, such as ",
           *inside);
  throw Error(
      str(origin, ": unknown key ", first_line(key), ", did you mean ", nearest_key(key), "?"));
}

// `value(text)` is the value; `text`: whether the key takes a string.
template <typename Value>
void assign(Config& config, const std::string& key, Value value, const std::string& origin) {
  bool found = false;
  visit(config, [&](auto& field, const auto&, const Key& known) {
    if (found || key != known.name) return;
    found = true;
    using Field = std::decay_t<decltype(field)>;
    try {
      parse_value(value(std::is_same_v<Field, std::string> || std::is_enum_v<Field>), field,
                  known.constraint);
    } catch (const std::exception& problem) {
      throw Error(str(origin, ": ", key, ": ", first_line(problem.what())));
    }
    config.origins[key] = origin;
  });
  if (!found) unknown_key(key, origin);
}

// A number, a list or null as typed. Only lists are parsed as YAML: on a command line, # does not
// start a comment.
YAML::Node typed_value(std::string value) {
  value.erase(0, value.find_first_not_of(' '));
  value.erase(value.find_last_not_of(' ') + 1);
  for (const char* null : {"", "~", "null", "Null", "NULL"}) {
    if (value == null) return {};
  }
  if (value.front() != '[') return YAML::Node(value);
  try {
    return YAML::Load(value);
  } catch (const YAML::Exception&) {
    return YAML::Node(value);
  }
}

class FileReader {
 public:
  explicit FileReader(Config& config) : config_(config) {}

  void read(const std::string& path) { values_of(path); }

 private:
  struct Value {
    YAML::Node node;
    std::string place;
  };
  using Values = std::map<std::string, Value>;

  // Sets all keys of the file and of those that it is based on. A file that several name is parsed
  // once: files that name each other twice in a long row would otherwise be read 2^n times.
  const Values& values_of(const std::string& path) {
    std::error_code ignored;
    WF_CHECK(fs::exists(path, ignored), path, ": no such configuration file");
    WF_CHECK(fs::is_regular_file(path, ignored), path, ": not a file");
    const std::string identity = fs::weakly_canonical(path).string();
    const bool again = std::find(open_.begin(), open_.end(), identity) != open_.end();
    open_.push_back(identity);
    WF_CHECK(!again, path, ": BASE includes itself: ", join(open_, " → "));
    auto known = files_.find(identity);
    if (known == files_.end()) {
      Values values;
      const auto root = parse(path);
      if (!root.IsNull()) {
        WF_CHECK(root.IsMap(), path, ": expected KEY: value lines");
        read_bases(path, root, values);
        std::set<std::string> seen;
        read_section(path, root, "", values, seen);
      }
      known = files_.emplace(identity, std::move(values)).first;
    } else {
      for (const auto& [key, value] : known->second) set(key, value);
    }
    open_.pop_back();
    return known->second;
  }

  void set(const std::string& key, const Value& value) {
    assign(
        config_, key, [&](bool) { return value.node; }, value.place);
  }

  // An assignment would change the node that both files share.
  static void keep(Values& values, const std::string& key, const Value& value) {
    values.erase(key);
    values.emplace(key, value);
  }

  static YAML::Node parse(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    WF_CHECK(in && text.str().find('\0') == std::string::npos, path, ": not a text file");
    try {
      const int more = second_document(text.str());
      WF_CHECK(more == 0, path, ":", more,
               ": text after the end of a YAML document; expected one document, without ---");
      return YAML::Load(text.str());
    } catch (const YAML::Exception& problem) {
      const int tab = indented_by_tab(text.str());
      WF_CHECK(tab == 0, path, ":", tab, ": not YAML: the line begins with a tab; use blanks");
      throw Error(str(path, ":", problem.mark.line + 1, ": not YAML: ", first_line(problem.msg)));
    }
  }

  // The number of the first line with a tab before its text; 0 for none.
  static int indented_by_tab(const std::string& text) {
    std::istringstream lines(text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      const auto begin = line.find_first_not_of(" \t\r");
      if (begin != std::string::npos && line.substr(0, begin).find('\t') != std::string::npos) {
        return number;
      }
    }
    return 0;
  }

  static std::string place(const std::string& path, const YAML::Node& node) {
    return str(path, ":", node.Mark().line + 1);
  }

  void read_bases(const std::string& path, const YAML::Node& root, Values& values) {
    for (const auto& item : root) {
      if (!item.first.IsScalar() || item.first.Scalar() != "BASE") continue;
      const auto where = place(path, item.first);
      WF_CHECK(item.second.IsSequence() || item.second.IsScalar(), where,
               ": BASE: expected a list of files");
      const auto base = [&](const YAML::Node& name) {
        WF_CHECK(name.IsScalar(), where, ": BASE: expected a list of files");
        if (name.Scalar().empty()) return;
        const auto file = (fs::path(path).parent_path() / name.Scalar()).string();
        for (const auto& [key, value] : values_of(file)) keep(values, key, value);
      };
      if (item.second.IsScalar()) base(item.second);
      for (const auto& name : item.second) base(name);
    }
  }

  void read_section(const std::string& path, const YAML::Node& section, const std::string& prefix,
                    Values& values, std::set<std::string>& seen) {
    for (const auto& item : section) {
      const auto where = place(path, item.first);
      WF_CHECK(item.first.IsScalar(), where, ": a key must be a word");
      const std::string key = prefix + item.first.Scalar();
      // As a path, TRAIN.EPOCHS, a key is the same as inside of its section.
      WF_CHECK(seen.insert(key).second, where, ": ", first_line(key), " is given twice");
      if (key == "BASE") continue;
      if (!section_names().count(key)) {
        const Value value{item.second, where};
        set(key, value);
        keep(values, key, value);
        continue;
      }
      if (item.second.IsNull()) continue;  // an empty section
      WF_CHECK(item.second.IsMap(), where, ": ", key, " is a section: expected keys below it");
      read_section(path, item.second, key + ".", values, seen);
    }
  }

  Config& config_;
  std::vector<std::string> open_;
  std::map<std::string, Values> files_;
};

}  // namespace

void set_key(Config& config, const std::string& key, const std::string& value,
             const std::string& origin) {
  assign(
      config, key, [&](bool text) { return text ? YAML::Node(value) : typed_value(value); },
      origin);
}

Config load_config(const std::string& path, const std::vector<std::string>& opts) {
  Config config;
  if (!path.empty()) FileReader(config).read(path);
  WF_CHECK(opts.size() % 2 == 0, "--opts: expected KEY VALUE pairs, ", opts.back(),
           " has no value");
  for (size_t i = 0; i < opts.size(); i += 2) set_key(config, opts[i], opts[i + 1], "--opts");
  return config;
}

}  // namespace wf
