#include "core/atomic_file.h"

#include "weightformer/core/check.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace wf::testing {
namespace {

TEST(AtomicFile, ReplacesOnlyRegularFiles) {
  const TempDir directory;
  const auto path = directory / "file";
  write_text_file(path, "one");
  write_text_file(path, "two");
  EXPECT_EQ(read_file(path), "two");
  const auto pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::vector<std::string> others{pipe, directory.path()};
  // Of its own, as a failure would replace it: /dev/full.
  const auto device = directory / "device";
  if (::geteuid() == 0) {
    ASSERT_EQ(::mknod(device.c_str(), S_IFCHR | 0600, ::makedev(1, 7)), 0);
    others.push_back(device);
  }
  for (const auto& other : others) {
    struct ::stat before {
    }, after{};
    ASSERT_EQ(::stat(other.c_str(), &before), 0);
    EXPECT_THROW(write_text_file(other, "three"), Error) << other;
    ASSERT_EQ(::stat(other.c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino) << other;
    EXPECT_FALSE(S_ISREG(after.st_mode)) << other;
  }
}

}  // namespace
}  // namespace wf::testing
