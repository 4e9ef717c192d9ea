#include "core/zip_archive.h"

#include "weightformer/core/check.h"
#include "weightformer/core/random.h"

#include "core/checksum.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

std::string archive(const TempDir& folder, uint64_t zip64_from) {
  AtomicFile file(folder / "a.zip");
  ZipWriter zip(file, zip64_from);
  zip.add("archive/a", "hello");
  zip.add("archive/empty", "");
  const std::string large(3'000, 'x');
  zip.add("archive/data/large", large);
  zip.finish();
  file.commit();
  return read_file(folder / "a.zip");
}

TEST(Checksum, IsTheOneOfZipForEveryLengthAndStart) {
  EXPECT_EQ(checksum("123456789"), 0xCBF43926u);  // the check value in CRC catalogs
  CounterRng rng{1};
  std::string bytes(1000, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(rng.next());
  for (size_t size = 0; size < 300; ++size) {
    const auto from = std::string_view(bytes).substr(size % 17);
    const auto part = from.substr(0, size);
    EXPECT_EQ(checksum(part), checksum_portable(part)) << size;
    EXPECT_EQ(checksum(from.substr(size, 200), checksum(part)),
              checksum(from.substr(0, size + 200)))
        << size;
    const auto rest = from.substr(size, 200);
    EXPECT_EQ(checksum_of_both(checksum(part), checksum(rest), rest.size()),
              checksum(from.substr(0, size + 200)));
  }
}

TEST(ZipArchive, WhatWasWrittenIsFoundAlsoInThe64BitForm) {
  for (const uint64_t zip64_from : {uint64_t{0xFFFFFFFF}, uint64_t{1'000}, uint64_t{0}}) {
    const TempDir folder;
    const auto bytes = archive(folder, zip64_from);
    const auto entries = zip_entries(bytes, "f");
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].name, "archive/a");
    EXPECT_EQ(zip_data(bytes, entries[0]), "hello");
    EXPECT_EQ(entries[1].size, 0u);
    EXPECT_EQ(entries[2].size, 3'000u);
    for (const auto& entry : entries) {
      const auto data = zip_data(bytes, entry);
      ASSERT_TRUE(entry.plain() && data);
      EXPECT_EQ((data->data() - bytes.data()) % 64, 0);
      EXPECT_EQ(entry.crc, checksum(*data));
    }
  }
}

TEST(ZipArchive, ATruncatedOrMutatedArchiveIsNeverReadOutside) {
  const TempDir folder;
  for (const uint64_t zip64_from : {uint64_t{0xFFFFFFFF}, uint64_t{0}}) {
    const auto bytes = archive(folder, zip64_from);
    const auto tail = bytes.size() - 500;
    for (size_t at = tail; at < bytes.size(); ++at) {
      EXPECT_THROW(zip_entries(bytes.substr(0, at), "f"), Error) << at;
      for (const char byte : {'\0', '\x7f', '\xff'}) {
        auto mutated = bytes;
        mutated[at] = byte;
        try {
          for (const auto& entry : zip_entries(mutated, "f")) {
            const auto data = zip_data(mutated, entry);
            if (data) {
              EXPECT_LE(data->data() + data->size(), mutated.data() + mutated.size());
            }
          }
        } catch (const Error& error) {
          EXPECT_EQ(std::string(error.what()).rfind("f: ", 0), 0u) << error.what();
        }
      }
    }
  }
}

}  // namespace
}  // namespace wf::testing
