#include "data/sources/selection.h"

#include "weightformer/core/check.h"

#include "data/sources/class_map.h"
#include "data/sources/sample_names.h"
#include "runtime/log.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace wf {
namespace {

// Some images of a set, under labels of their own.
class Selection : public Dataset {
 public:
  Selection(std::shared_ptr<const Dataset> all, std::vector<std::string> classes)
      : all_(std::move(all)) {
    classes_ = std::move(classes);
  }
  void add(int64_t image, int64_t label) {
    which_.push_back(image);
    labels_.push_back(static_cast<int32_t>(label));
  }

  int64_t size() const override { return static_cast<int64_t>(which_.size()); }
  int64_t label(int64_t i) const override { return labels_.at(i); }
  std::string name(int64_t i) const override { return all_->name(which_.at(i)); }
  Encoded read(int64_t i) const override { return all_->read(which_.at(i)); }

 private:
  std::shared_ptr<const Dataset> all_;
  std::vector<int64_t> which_;
  std::vector<int32_t> labels_;
};

bool are_numbers(const std::vector<std::string>& classes) {
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] != std::to_string(i)) return false;
  }
  return true;
}

// The number in `map` of each of the classes `found`; -1: none.
std::vector<int32_t> numbers_in(const ClassMap& map, const std::vector<std::string>& found) {
  const bool by_line = are_numbers(found) && map.number.count("0") == 0;
  const auto count = static_cast<int32_t>(map.names.size());
  std::vector<int32_t> numbers;
  for (size_t i = 0; i < found.size(); ++i) {
    const auto at = map.number.find(found[i]);
    const auto line = static_cast<int32_t>(i);
    numbers.push_back(at != map.number.end() ? at->second : by_line && line < count ? line : -1);
  }
  WF_CHECK(std::any_of(numbers.begin(), numbers.end(), [](int32_t number) { return number >= 0; }),
           map.path, ": has none of the ", found.size(), " classes of the data, such as ",
           found.empty() ? "" : found[0], "; its first line is of ", map.first);
  return numbers;
}

// From the numbers of the map to those of `classes`, which may have either kind of names.
std::vector<int32_t> numbers_of(const ClassMap& map, const std::vector<std::string>& classes) {
  std::unordered_map<std::string_view, int32_t> known;
  for (size_t i = 0; i < classes.size(); ++i) known.emplace(classes[i], static_cast<int32_t>(i));
  std::vector<int32_t> numbers(map.names.size(), -1);
  for (const auto& [found, number] : map.number) {
    auto at = known.find(map.names[number]);
    if (at == known.end()) at = known.find(found);
    if (at != known.end()) numbers[number] = at->second;
  }
  return numbers;
}

}  // namespace

std::shared_ptr<Dataset> with_class_map(std::shared_ptr<const Dataset> images,
                                        const std::string& map, std::vector<std::string> classes) {
  const auto read = read_class_map(map);
  auto numbers = numbers_in(read, images->classes());
  if (!classes.empty()) {
    const auto known = numbers_of(read, classes);
    for (auto& number : numbers) {
      if (number < 0) continue;
      WF_CHECK(known[number] >= 0, map, ": ", read.names[number],
               ": a class that is not one of the model's (those of the training images)");
      number = known[number];
    }
  }
  auto out = std::make_shared<Selection>(images, classes.empty() ? read.names : std::move(classes));
  for (int64_t i = 0; i < images->size(); ++i) {
    const auto number = numbers[images->label(i)];
    if (number >= 0) out->add(i, number);
  }
  if (out->size() < images->size()) {
    log::info("{}: {} of {} images are left out, as their classes are not in it", map,
              images->size() - out->size(), images->size());
  }
  WF_CHECK(out->size() > 0, map, ": the data have no image of its classes");
  return out;
}

std::shared_ptr<Dataset> subset_of(std::shared_ptr<const Dataset> images, const std::string& list) {
  const SampleNames names(*images);
  std::set<int64_t> kept;
  int64_t unknown = 0;
  std::string example;
  for (const auto& [text, number] : read_lines(list)) {
    const auto image = names.find(text, str(list, ":", number));
    if (image >= 0) {
      kept.insert(image);
    } else if (unknown++ == 0) {
      example = text;
    }
  }
  WF_CHECK(!kept.empty(), list, ": names none of the ", images->size(), " images, such as ",
           images->name(0), "; its first line is ", example);
  if (unknown > 0) {
    log::warning("{}: {} of its names are of no image, such as {}", list, unknown, example);
  }
  auto out = std::make_shared<Selection>(images, images->classes());
  for (const auto i : kept) out->add(i, images->label(i));
  log::info("{}: {} of {} images are used", list, kept.size(), images->size());
  return out;
}

}  // namespace wf
