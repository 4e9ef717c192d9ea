#include "core/atomic_file.h"

#include "weightformer/core/check.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

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
  for (const auto& other : {pipe, directory.path(), std::string("/dev/full")}) {
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
