#include "weightformer/core/check.h"

#include "bench_data.h"
#include "data/image/decode.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace wf {

namespace fs = std::filesystem;

AnyImages::AnyImages(const std::string& directory, int64_t most) {
  static const std::set<std::string> known{".jpg", ".jpeg", ".png", ".webp", ".bmp"};
  const auto root = fs::is_directory(directory + "/train") ? directory + "/train" : directory;
  std::error_code problem;
  for (fs::recursive_directory_iterator it(root, problem), end; !problem && it != end;
       it.increment(problem)) {
    if (known.count(it->path().extension().string())) files_.push_back(it->path().string());
  }
  WF_CHECK(!problem && !files_.empty(), "--data ", root, ": ",
           problem ? problem.message() : "no jpg, jpeg, png, webp or bmp in it");
  std::sort(files_.begin(), files_.end());
  if (size() > most) files_.resize(static_cast<size_t>(most));
}

Encoded AnyImages::read(int64_t i) const { return read_file(files_[i]); }

double AnyImages::mean_bytes() const {
  double sum = 0;
  for (const auto& file : files_) sum += static_cast<double>(fs::file_size(file));
  return sum / static_cast<double>(size());
}

}  // namespace wf
