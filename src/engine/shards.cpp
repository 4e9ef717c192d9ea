#include "engine/shards.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "runtime/stop_signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace wf {
namespace {

namespace fs = std::filesystem;

// Throws unless both have the same lines.
void require_same(const std::string& saved, const std::string& now, const std::string& path) {
  std::istringstream before(saved), after(now);
  std::string was, is;
  while (true) {
    const bool more = static_cast<bool>(std::getline(before, was));
    const bool also = static_cast<bool>(std::getline(after, is));
    if (!more && !also) return;
    WF_CHECK(more && also && was == is, path, ": made with other settings: '", more ? was : "",
             "', now '", also ? is : "", "'; set it back, or choose another --output");
  }
}

}  // namespace

void require_not_stopped() {
  if (stop_requested()) throw Error("stopped; the same command continues");
}

int64_t Shards::size(int64_t shard) const {
  return std::min(options_.shard, options_.items - begin(shard));
}

std::string Shards::path(int64_t shard) const {
  return fmt::format("{}/{:06}{}", directory(), begin(shard), options_.extension);
}

bool Shards::exists(int64_t shard) const { return fs::exists(path(shard)); }

void Shards::prepare() const {
  std::error_code problem;
  fs::create_directories(directory(), problem);
  WF_CHECK(!problem, directory(), ": cannot create the directory: ", problem.message());
  const auto path = options_.directory + "/manifest.txt";
  if (fs::exists(path)) {
    std::stringstream saved;
    saved << std::ifstream(path).rdbuf();
    require_same(saved.str(), options_.settings, path);
  } else {
    WF_CHECK(fs::is_empty(directory()), directory(),
             ": holds files made with unknown settings (no manifest.txt): choose another --output");
    write_text_file(path, options_.settings);
  }
  // Incomplete files of a killed process.
  for (const auto& entry : fs::directory_iterator(directory())) {
    if (entry.path().extension() != options_.extension) fs::remove(entry.path(), problem);
  }
}

std::vector<int64_t> Shards::missing(const Distributed& ranks) const {
  std::vector<int64_t> out;
  for (int64_t i = ranks.rank(); i < count(); i += ranks.world()) {
    if (!exists(i)) out.push_back(i);
  }
  return out;
}

void Shards::wait_for_all() const {
  for (int64_t i = 0; i < count();) {
    if (exists(i)) {
      ++i;
      continue;
    }
    require_not_stopped();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

void Shards::remove() const {
  std::error_code ignored;
  fs::remove_all(options_.directory, ignored);
}

}  // namespace wf
