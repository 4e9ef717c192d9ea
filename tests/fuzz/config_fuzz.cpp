#include "weightformer/core/check.h"

#include "config/describe.h"
#include "config/load.h"
#include "fuzz.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace {

// A directory for the input, with files that are each twice based on the next: BASE: [base_0.yaml]
// must not read the last one 2^30 times. Removed at the end.
class Directory {
 public:
  Directory() {
    std::filesystem::create_directory(path_);
    constexpr int kBases = 30;
    for (int i = 0; i < kBases; ++i) {
      const auto next = "base_" + std::to_string(i + 1) + ".yaml";
      std::ofstream(path_ / ("base_" + std::to_string(i) + ".yaml"))
          << (i + 1 < kBases ? "BASE: [" + next + ", " + next + "]\n" : "TRAIN: {EPOCHS: 3}\n");
    }
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string input() const { return path_ / "input.yaml"; }

 private:
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("wf_fuzz_config_" + std::to_string(::getpid()));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Files are read by name, as BASE is relative to them.
  static const Directory directory;
  const auto path = directory.input();
  {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  try {
    auto config = wf::load_config(path);
    wf::dump_yaml(config);
    wf::validate(config);
  } catch (const wf::Error& error) {
    const std::string text = error.what();
    if (text.find('\n') != std::string::npos) __builtin_trap();  // one line is the promise
  }
  return 0;
}

const size_t fuzz_megabytes = 64;
std::string fuzz_seed(const std::string& file) { return file; }
