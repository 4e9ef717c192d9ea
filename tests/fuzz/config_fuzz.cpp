#include "weightformer/core/check.h"

#include "config/describe.h"
#include "config/load.h"
#include "fuzz.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Files are read by name, as BASE is relative to them.
  static const std::string path = std::filesystem::temp_directory_path() /
                                  ("wf_fuzz_config_" + std::to_string(::getpid()) + ".yaml");
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
  std::remove(path.c_str());
  return 0;
}

std::string fuzz_seed(const std::string& file) { return file; }
