#include "runtime/log.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace wf::testing {
namespace {

TEST(Log, NamesOfFilesCannotBreakALineOrCommandATerminal) {
  EXPECT_EQ(log::printable("a\nb\x1b[2J\x7f\t.png"), "a?b?[2J?\t.png");
  EXPECT_EQ(log::printable("\xc3\xa4.png"), "\xc3\xa4.png");
  ::testing::internal::CaptureStderr();
  log::warning("unreadable sample: {}", "a\nb\x1b[2J.png");
  EXPECT_TRUE(has(::testing::internal::GetCapturedStderr(), "sample: a?b?[2J.png\n"));
}

// Opening it would wait for a reader.
TEST(Log, APipeIsNotALogFile) {
  const TempDir folder;
  const auto path = folder / "log.txt";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { log::open(path); }), path + ": cannot open the log file: it is a pipe");
}

}  // namespace
}  // namespace wf::testing
