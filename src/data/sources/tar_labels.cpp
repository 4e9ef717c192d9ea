#include "data/sources/tar_labels.h"

#include "weightformer/core/check.h"

#include "data/sources/sample_names.h"
#include "data/sources/tar_samples.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace wf {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_number(std::string_view word) {
  return !word.empty() && word.find_first_not_of(kDigits) == std::string_view::npos;
}

// Where the name of the image ends; npos: the line is a class.
size_t end_of_name(std::string_view line) {
  const auto tab = line.find('\t'), comma = line.find(',');
  if (tab != std::string_view::npos) return tab;
  return comma != std::string_view::npos ? comma : line.find(' ');
}

// "n03995372 85 1 499 272" → "n03995372"
std::string_view without_boxes(std::string_view text) {
  const auto blank = text.find(' ');
  const bool boxes = blank != std::string_view::npos &&
                     text.find_first_not_of("0123456789 -", blank) == std::string_view::npos;
  return text.substr(0, boxes ? blank : text.size());
}

std::vector<std::string> in_order(const Dataset& images, const std::vector<TextLine>& lines,
                                  const std::string& path) {
  const auto count = static_cast<size_t>(images.size());
  WF_CHECK(lines.size() == count, path, ": ", lines.size(), " classes, one a line, for ", count,
           " images");
  const bool numbers = std::all_of(lines.begin(), lines.end(),
                                   [](const auto& line) { return is_number(line.text); });
  const bool zero =
      std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.text == "0"; });
  WF_CHECK(!numbers || zero, path,
           ": numbers that do not begin with 0 are the ILSVRC2012_IDs of meta.mat, which have "
           "another order; write the name of the class (n01440764) in each line");
  std::vector<std::string> names;
  for (int64_t i = 0; i < images.size(); ++i) names.push_back(images.name(i));
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return names[a] < names[b]; });
  std::vector<std::string> labels(count);
  for (size_t i = 0; i < count; ++i) labels[order[i]] = label_in(lines[i].text, "cls");
  return labels;
}

std::vector<std::string> by_name(const Dataset& images, const std::vector<TextLine>& lines,
                                 const std::string& path) {
  const SampleNames names(images);
  std::vector<std::string> labels(static_cast<size_t>(images.size()));
  for (const auto& [text, number] : lines) {
    const std::string_view line = text;
    const auto end = end_of_name(line);
    const auto where = path + ":" + std::to_string(number);
    WF_CHECK(end != std::string_view::npos, where, ": expected an image and its class, got '",
             line.substr(0, 80), "'");
    auto name = line.substr(0, end);
    name = name.substr(0, name.find_last_not_of(" \t") + 1);
    const auto image = names.find(name, where);
    if (image < 0) continue;
    auto& label = labels[image];
    WF_CHECK(label.empty(), where, ": a second class for ", images.name(image));
    const auto begin = std::min(line.find_first_not_of(" \t,", end), line.size());
    label = label_in(without_boxes(line.substr(begin)), "cls");
    WF_CHECK(!label.empty(), where, ": no class for ", images.name(image));
  }
  for (int64_t i = 0; i < images.size(); ++i) {
    WF_CHECK(!labels[i].empty(), path, ": has no line for ", images.name(i));
  }
  return labels;
}

}  // namespace

std::vector<std::string> read_label_file(const Dataset& images, const std::string& path) {
  const auto lines = read_lines(path);
  const bool classes_only = std::all_of(lines.begin(), lines.end(), [](const auto& line) {
    return end_of_name(line.text) == std::string_view::npos;
  });
  return classes_only ? in_order(images, lines, path) : by_name(images, lines, path);
}

}  // namespace wf
