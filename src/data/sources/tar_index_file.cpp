// The index in a file beside the tar file or in the cache directory.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/mapped_file.h"
#include "core/stopwatch.h"
#include "data/sources/tar_index.h"
#include "runtime/log.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace wf {
namespace {

// Waiting for the disk is most of the work, so more threads than cores help.
constexpr int kIndexThreads = 16;
constexpr int64_t kIndexSettled = 2'000'000'000;  // nanoseconds; FAT, the coarsest, counts in 2 s

TarStamp stamp_of_tar(const std::string& path) {
  struct stat info {};
  WF_CHECK(::stat(path.c_str(), &info) == 0, path, ": cannot read");
  return {static_cast<uint64_t>(info.st_size),
          int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

// An index that is damaged, outdated or of another version is ignored.
std::optional<TarIndex> kept_index(const std::string& file, const TarStamp& stamp) try {
  const auto mapped = std::make_shared<const MappedFile>(file);
  return TarIndex(mapped->bytes(), mapped, stamp);
} catch (const Error&) {
  return std::nullopt;
}

bool keep_index(const std::string& file, const std::string& bytes) try {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), ignored);
  AtomicFile out(file);
  out.write(bytes.data(), bytes.size());
  out.commit();
  return true;
} catch (const Error&) {
  return false;
}

std::string make_index(const std::string& path, std::string_view archive, const TarStamp& stamp) {
  log::info("{}: making the index", path);
  const Stopwatch watch;
  auto* begin = const_cast<char*>(archive.data());
  // Headers are far apart: without this the kernel would read what is between them too.
  if (begin) ::madvise(begin, archive.size(), MADV_RANDOM);
  auto bytes = make_tar_index(archive, path, stamp, kIndexThreads);
  if (begin) ::madvise(begin, archive.size(), MADV_NORMAL);
  log::info("{}: index made in {:.1f} s", path, watch.seconds());
  return bytes;
}

}  // namespace

std::string tar_index_cache_file(const std::string& path, const std::string& cache) {
  std::error_code ignored;
  const auto full = std::filesystem::canonical(path, ignored).string();
  uint64_t hash = 0xCBF29CE484222325ull;  // FNV-1a, 64 bits (Fowler, Noll, Vo)
  for (unsigned char c : full) hash = (hash ^ c) * 0x100000001B3ull;
  return cache + "/tar-" + std::to_string(hash) + ".wfindex";
}

TarIndex tar_index(const std::string& path, std::string_view archive,
                   const std::optional<std::string>& cache, int64_t now) {
  const auto stamp = stamp_of_tar(path);
  WF_CHECK(stamp.size == archive.size(), path, ": changes while it is read; start again later");
  std::vector<std::string> places;
  if (cache) places.push_back(path + ".wfindex");
  if (cache && !cache->empty()) places.push_back(tar_index_cache_file(path, *cache));
  for (const auto& place : places) {
    if (auto index = kept_index(place, stamp)) return std::move(*index);
  }
  const auto bytes = std::make_shared<const std::string>(make_index(path, archive, stamp));
  if (stamp.modified < now - kIndexSettled && !places.empty()) {
    const bool kept = std::any_of(places.begin(), places.end(),
                                  [&](const auto& place) { return keep_index(place, *bytes); });
    if (!kept) log::warning("{}: the index cannot be kept, so every start makes it", path);
  }
  return TarIndex(*bytes, bytes, stamp);
}

}  // namespace wf
