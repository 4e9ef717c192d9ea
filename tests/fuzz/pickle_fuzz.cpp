#include "weightformer/core/check.h"

#include "core/zip_archive.h"
#include "fuzz.h"
#include "serialization/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto document = wf::pickle::read({reinterpret_cast<const char*>(data), size}, "fuzz");
    // Shared values are written out each time, so only small documents are tried.
    constexpr size_t kSmall = 2000;
    if (document.values.size() < kSmall && size < kSmall) wf::pickle::write(*document.root);
  } catch (const wf::Error&) {
  }
  return 0;
}

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
