#include "config/values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

namespace wf {

std::string quoted(std::string text) {
  constexpr size_t kShown = 40;
  if (text.size() > kShown) text = text.substr(0, kShown) + "…";
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return "'" + text + "'";
}

namespace {

std::string shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a section";
  return quoted(node.Scalar());
}

const std::string& scalar(const YAML::Node& node, const char* expected) {
  WF_CHECK(node.IsScalar(), "expected ", expected, ", got ", shown(node));
  return node.Scalar();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

template <typename Number>
Number number(const YAML::Node& node, const char* expected) {
  const std::string& text = scalar(node, expected);
  const char* begin = text.data() + (text.size() > 1 && text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  Number value{};
  const auto [stop, problem] = std::from_chars(begin, end, value);
  // Operators take numbers as float.
  WF_CHECK(problem == std::errc() && stop == end && std::isfinite(static_cast<float>(value)),
           "expected ", expected, ", got ", quoted(text));
  return value;
}

void check_range(double value, const Constraint& constraint) {
  WF_CHECK(value >= constraint.min && value <= constraint.max &&
               !(constraint.below_max && value == constraint.max),
           "must be ", describe(constraint), ", got ", value);
}

// A scalar with commas as a list: "(0.9, 0.999)", as Python writes it, for example in --opts, or
// "0.9,0.999".
YAML::Node as_list(const YAML::Node& node) {
  if (!node.IsScalar() || node.Scalar().find(',') == std::string::npos) return node;
  auto text = node.Scalar();
  if (text.front() == '(' && text.back() == ')') text = text.substr(1, text.size() - 2);
  YAML::Node list(YAML::NodeType::Sequence);
  std::istringstream numbers(text);
  for (std::string item; std::getline(numbers, item, ',');) {
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    list.push_back(item);
  }
  return list;
}

// As YAML 1.1 and Python's yaml read it; nothing for other words.
std::optional<bool> truth(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return std::nullopt;
}

}  // namespace

void parse_value(const YAML::Node& node, bool& field, const Constraint&) {
  const auto value = truth(lower(scalar(node, "true or false")));
  WF_CHECK(value, "expected true or false, got ", shown(node));
  field = *value;
}

void parse_value(const YAML::Node& node, AmpMode& field, const Constraint&) {
  const std::string text = lower(scalar(node, "true, false or auto"));
  const auto value = truth(text);
  WF_CHECK(value || text == name_of(AmpMode::automatic), "expected true, false or auto, got ",
           shown(node));
  field = !value ? AmpMode::automatic : *value ? AmpMode::on : AmpMode::off;
}

void parse_value(const YAML::Node& node, int64_t& field, const Constraint& constraint) {
  field = number<int64_t>(node, "an integer");
  check_range(static_cast<double>(field), constraint);
  // Products of two counts, such as steps and samples, must fit in 64 bits.
  constexpr int64_t kMost = 1'000'000'000;
  const bool count = std::isfinite(constraint.min) && !std::isfinite(constraint.max);
  WF_CHECK(!count || field <= kMost, "must be at most ", kMost, ", got ", field);
}

void parse_value(const YAML::Node& node, double& field, const Constraint& constraint) {
  field = number<double>(node, "a number");
  check_range(field, constraint);
}

void parse_value(const YAML::Node& node, std::string& field, const Constraint& constraint) {
  if (node.IsNull()) {
    field.clear();
  } else {
    field = scalar(node, "a string");
  }
  const auto& choices = constraint.choices;
  WF_CHECK(choices.empty() || std::find(choices.begin(), choices.end(), field) != choices.end(),
           "must be ", describe(constraint), ", got ", quoted(field));
}

void parse_value(const YAML::Node& node, Pair& field, const Constraint& constraint) {
  const auto list = as_list(node);
  WF_CHECK(list.IsSequence() && list.size() == 2, "expected a list of two numbers, got ",
           shown(node));
  for (size_t i = 0; i < 2; ++i) parse_value(list[i], field[i], constraint);
}

// One number is a list of one, 0 an empty list.
void parse_value(const YAML::Node& node, std::vector<double>& field, const Constraint& constraint) {
  const auto list = as_list(node);
  field.clear();
  if (!list.IsSequence()) {
    double value = 0;
    parse_value(list, value, constraint);
    if (value != 0) field.push_back(value);
    return;
  }
  for (const auto& item : list) parse_value(item, field.emplace_back(), constraint);
}

void parse_value(const YAML::Node& node, std::optional<Pair>& field, const Constraint& constraint) {
  if (node.IsNull() || (node.IsScalar() && lower(node.Scalar()) == "none")) {
    field.reset();
    return;
  }
  Pair pair{};
  parse_value(node, pair, constraint);
  field = pair;
}

std::string describe(const Constraint& constraint) {
  if (!constraint.choices.empty()) return "one of " + join(constraint.choices, ", ");
  if (std::isfinite(constraint.min) && std::isfinite(constraint.max)) {
    return str("from ", constraint.min, constraint.below_max ? " to below " : " to ",
               constraint.max);
  }
  return std::isfinite(constraint.min) ? str("at least ", constraint.min) : "";
}

}  // namespace wf
