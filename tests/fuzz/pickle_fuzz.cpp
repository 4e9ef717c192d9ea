#include "weightformer/core/check.h"

#include "core/zip_archive.h"
#include "fuzz.h"
#include "serialization/flat_settings.h"
#include "serialization/pickle.h"

namespace {

constexpr size_t kSmall = 2000;

// The values when shared ones count each time, at most kSmall.
size_t unfolded(const wf::pickle::Value& value) {
  size_t count = 1;
  for (const auto* item : value.items) {
    if (count >= kSmall) break;
    count += unfolded(*item);
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto document = wf::pickle::read({reinterpret_cast<const char*>(data), size}, "fuzz");
    wf::flat_settings(*document.root);
    // The writer is for our own trees, which share nothing.
    if (size < kSmall && unfolded(*document.root) < kSmall) wf::pickle::write(*document.root);
  } catch (const wf::Error&) {
  }
  return 0;
}

const size_t fuzz_megabytes = 64;
std::string fuzz_seed(const std::string& file) {
  try {
    if (!wf::looks_like_zip(file)) return file.substr(0, 20'000);
    for (const auto& entry : wf::zip_entries(file, "seed")) {
      const auto data = wf::zip_data(file, entry);
      if (data && entry.name.find("data.pkl") != std::string::npos) return std::string(*data);
    }
  } catch (const wf::Error&) {
  }
  return "";
}
