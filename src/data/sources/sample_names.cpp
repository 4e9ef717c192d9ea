#include "data/sources/sample_names.h"

#include "weightformer/core/check.h"

#include "core/mapped_file.h"
#include "core/text.h"
#include "data/sources/image_name.h"

#include <algorithm>

namespace wf {
namespace {

// The last part of a path, which is removed from it.
std::string_view take_last(std::string_view& path) {
  const auto slash = path.rfind('/');
  const auto last = slash == std::string_view::npos ? path : path.substr(slash + 1);
  path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  return last;
}

std::string_view without_extension(std::string_view file) {
  return is_picture(file) ? file.substr(0, file.rfind('.')) : file;
}

std::string_view without_tar(std::string_view directory) {
  return ends_with(directory, ".tar") ? directory.substr(0, directory.size() - 4) : directory;
}

// How many parts at the end of two paths are the same; 0 when the file or, where both have one, the
// directory above differs.
int common_parts(std::string_view a, std::string_view b) {
  const auto file = take_last(a), other = take_last(b);
  const bool same_file = file == other || (without_extension(file) == without_extension(other) &&
                                           (!is_picture(file) || !is_picture(other)));
  if (!same_file) return 0;
  int count = 1;
  while (!a.empty() && !b.empty()) {
    if (without_tar(take_last(a)) != without_tar(take_last(b))) return count == 1 ? 0 : count;
    ++count;
  }
  return count;
}

}  // namespace

std::vector<TextLine> read_lines(const std::string& path) {
  const MappedFile file(path);
  std::string_view rest = file.bytes();
  std::vector<TextLine> lines;
  constexpr std::string_view kBlanks = " \t\r";
  for (int64_t number = 1; !rest.empty(); ++number) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) continue;
    line = line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin);
    lines.push_back({std::string(line), number});
  }
  WF_CHECK(!lines.empty(), path, ": is empty");
  return lines;
}

SampleNames::SampleNames(const Dataset& images) {
  for (int64_t i = 0; i < images.size(); ++i) {
    names_.push_back(images.name(i));
    std::string_view path = names_.back();
    by_stem_[std::string(without_extension(take_last(path)))].push_back(i);
  }
}

int64_t SampleNames::find(std::string_view name, const std::string& where) const {
  std::string_view path = name;
  const auto at = by_stem_.find(std::string(without_extension(take_last(path))));
  if (at == by_stem_.end()) return -1;
  int64_t best = -1, second = -1;
  int most = 0;
  for (const auto i : at->second) {
    const int parts = common_parts(names_[i], name);
    if (parts > most) {
      most = parts, best = i, second = -1;
    } else if (parts == most && parts > 0) {
      second = i;
    }
  }
  WF_CHECK(second < 0, where, ": ", name, " may be ", names_[std::max<int64_t>(best, 0)], " or ",
           names_[std::max<int64_t>(second, 0)], "; write more of its path");
  return best;
}

}  // namespace wf
