#include "weightformer/core/check.h"

#include "fuzz.h"
#include "serialization/torch_file.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file{reinterpret_cast<const char*>(data), size};
  try {
    const auto content = wf::parse_torch_file(file, "fuzz");
    for (const auto& item : content.storages) {
      const auto& region = item.second;
      if (region.offset > size || region.size > size - region.offset) std::abort();
    }
  } catch (const wf::Error&) {
  }
  return 0;
}

// The directory is what this target is about: files with little data.
const size_t fuzz_megabytes = 64;
std::string fuzz_seed(const std::string& file) {
  constexpr size_t kSmall = 40'000;
  if (!wf::looks_like_torch(file)) return "";
  const bool zip = file.substr(0, 2) == "PK";
  return zip && file.size() > kSmall ? "" : file.substr(0, kSmall);
}
