#include "serialization/torch_file.h"

#include "core/atomic_file.h"
#include "core/zip_archive.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace wf::testing {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

// Protocol 2, an empty dict.
const std::string kEmptyDict = "\x80\x02}.";

// A storage of two floats as torch.save refers to it, in a list.
const std::string kTwoFloats = "\x80\x02](X\x07" + std::string(3, '\0') +
                               "storagectorch\nFloatStorage\nX\x01" + std::string(3, '\0') +
                               "0X\x03" + std::string(3, '\0') + "cpuK\x02tQa.";

// The error of reading an archive with these entries; "" for none.
std::string archive_error(const Entries& entries) {
  const TempDir folder;
  {
    AtomicFile file(folder / "x.pth");
    ZipWriter zip(file);
    for (const auto& [name, bytes] : entries) zip.add(name, bytes);
    zip.finish();
    file.commit();
  }
  const auto bytes = read_file(folder / "x.pth");
  return testing::error_of([&] { parse_torch_file(bytes, "x.pth"); });
}

// torch.load of torch 2.11 refuses each of these.
TEST(TorchFile, RefusesWhatTorchRefuses) {
  const Entries good = {
      {"a/data.pkl", kEmptyDict}, {"a/byteorder", "little"}, {"a/version", "3\n"}};
  EXPECT_EQ(archive_error(good), "");
  EXPECT_EQ(archive_error({good[0], good[2]}), "") << "older versions of torch wrote no byte order";
  EXPECT_TRUE(has(archive_error({good[0], good[1]}), "the version ''"))
      << archive_error({good[0], good[1]});
  for (const std::string version : {"99", "0", "three", "3x", "-1", "100000000000000000000"}) {
    const auto text = archive_error({good[0], {"a/version", version}});
    EXPECT_TRUE(has(text, "the version '" + version.substr(0, 20) + "'")) << text;
  }
  const auto order = archive_error({good[0], good[2], {"a/byteorder", "middle"}});
  EXPECT_TRUE(has(order, "the byte order 'middle'")) << order;
  const auto two =
      archive_error({good[0], good[2], {"b/data.pkl", kEmptyDict}, {"b/version", "3\n"}});
  EXPECT_TRUE(has(two, "two files in one, a/data.pkl and b/data.pkl")) << two;
}

TEST(TorchFile, AStorageHasExactlyTheBytesOfItsElements) {
  for (const size_t bytes : {0, 4, 7, 8, 9, 12, 16}) {
    const auto text = archive_error(
        {{"a/data.pkl", kTwoFloats}, {"a/data/0", std::string(bytes, 'x')}, {"a/version", "3"}});
    EXPECT_EQ(text.empty(), bytes == 8) << bytes << ": " << text;
    EXPECT_EQ(has(text, "should have 2 elements and has"), bytes != 8) << text;
  }
}

}  // namespace
}  // namespace wf::testing
