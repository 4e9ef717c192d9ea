#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "data/sources/tar_index.h"
#include "fuzz.h"

#include <cstdlib>

namespace {

// The checksums of headers are corrected, or hardly a changed byte would get past them.
void correct_checksums(std::string& archive) {
  for (size_t at = 0; at + 512 <= archive.size(); at += 512) {
    if (archive.compare(at + 257, 5, "ustar") != 0) continue;
    archive.replace(at + 148, 8, "        ");
    unsigned sum = 0;
    for (size_t i = at; i < at + 512; ++i) sum += static_cast<uint8_t>(archive[i]);
    for (size_t digit = 0; digit < 6; ++digit, sum /= 8) {
      archive[at + 153 - digit] = static_cast<char>('0' + sum % 8);
    }
    archive[at + 154] = '\0';
  }
}

void index(const std::string& archive) try {
  const wf::TarStamp stamp{archive.size(), 0};
  const auto bytes = wf::make_tar_index(archive, "fuzz", stamp, /*threads=*/1);
  const wf::TarIndex read(bytes, nullptr, stamp);
  for (int64_t i = 0; i < read.size(); ++i) {
    const auto sample = read.sample(i);
    if (sample.begin + sample.size > archive.size() || sample.name.empty()) std::abort();
  }
} catch (const wf::Error& problem) {
  // One line is the promise.
  if (std::string(problem.what()).find('\n') != std::string::npos) std::abort();
}

// The input as an index that was kept, with a checksum that is right.
void take_index(std::string bytes) try {
  const auto body = bytes.substr(bytes.size() < 12 ? bytes.size() : 12);
  if (body.size() < 20) return;
  uint64_t size = 0;
  int64_t modified = 0;
  body.copy(reinterpret_cast<char*>(&size), 8, 4);
  body.copy(reinterpret_cast<char*>(&modified), 8, 12);
  const uint32_t sum = wf::checksum(body);
  bytes.replace(8, 4, std::string(reinterpret_cast<const char*>(&sum), 4));
  const wf::TarIndex read(bytes, nullptr, {size, modified});
  for (int64_t i = 0; i < read.size(); ++i) {
    const auto sample = read.sample(i);
    if (sample.begin > size || sample.size > size - sample.begin) std::abort();
  }
} catch (const wf::Error&) {
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  index(bytes);
  correct_checksums(bytes);
  index(bytes);
  take_index(std::move(bytes));
  return 0;
}

const size_t fuzz_megabytes = 64;
std::string fuzz_seed(const std::string& file) { return file; }
