#include "runtime/progress_bar.h"

#include "runtime/log.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(ProgressBar, HasSpeedAndTimeLeft) {
  EXPECT_EQ(progress_text("packing", 500, 2000, "images", 25),
            "packing [======                  ] 500/2000 images  20.0 images/s  eta 0:01:15");
  EXPECT_EQ(progress_text("packing", 0, 2000, "images", 25),
            "packing [                        ] 0/2000 images");
  EXPECT_EQ(progress_text("packing", 4, 4, "files", 2),
            "packing [========================] 4/4 files  2.0 files/s  eta 0:00:00");
  EXPECT_EQ(progress_text("packing", 0, 0, "files", 2),
            "packing [========================] 0/0 files");
}

TEST(ProgressBar, PrintsNothingForShortWorkWithoutATerminal) {
  ::testing::internal::CaptureStderr();
  {
    ProgressBar bar("packing", 10);
    for (int i = 0; i <= 10; ++i) bar.show(i);
  }
  const auto printed = ::testing::internal::GetCapturedStderr();
  if (log::on_terminal()) GTEST_SKIP() << "standard error is a terminal";
  EXPECT_EQ(printed, "");
}

}  // namespace
}  // namespace wf::testing
