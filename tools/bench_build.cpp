// The build of wf_bench that measures, and its machine.

#include "bench_rounds.h"

#include <torch/version.h>

#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

namespace wf {
namespace {

bool stamp(BuildFile& file) {
  struct stat info {};
  if (::stat(file.path.c_str(), &info) != 0) return false;
  file.size = static_cast<uint64_t>(info.st_size);
  file.modified = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return true;
}

std::vector<BuildFile> own_files(const std::string& program) {
  std::vector<BuildFile> files{{program}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        if (std::strstr(info->dlpi_name, "/libweightformer")) {
          static_cast<std::vector<BuildFile>*>(out)->push_back({info->dlpi_name});
        }
        return 0;
      },
      &files);
  for (auto& file : files) stamp(file);
  return files;
}

std::string processor() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

std::string now_in_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

bool same_file(const BuildFile& a, const BuildFile& b) {
  return a.path == b.path && a.size == b.size && a.modified == b.modified;
}

}  // namespace

SavedBench describe_bench(const std::vector<std::string>& flags) {
  SavedBench out;
  out.program = std::filesystem::read_symlink("/proc/self/exe").string();
  out.build = own_files(out.program);
  out.flags = flags;
  out.version = WF_VERSION;
  out.torch = TORCH_VERSION;
  out.processor = processor();
  out.processors = std::thread::hardware_concurrency();
  out.when = now_in_utc();
  return out;
}

bool other_build_is_there(const SavedBench& saved) {
  const auto own = describe_bench({}).build;
  if (saved.build.size() == own.size() &&
      std::equal(own.begin(), own.end(), saved.build.begin(), same_file)) {
    return false;
  }
  return !saved.build.empty() &&
         std::all_of(saved.build.begin(), saved.build.end(), [](const BuildFile& file) {
           BuildFile today{file.path};
           return stamp(today) && same_file(file, today);
         });
}

}  // namespace wf
