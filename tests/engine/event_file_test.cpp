#include "engine/tensorboard/event_file.h"

#include "engine/tensorboard/event.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace wf::testing {
namespace {

TEST(EventFile, TheChecksumIsThatOfTheFormat) {
  // RFC 3720, B.4: the CRC-32C of 32 zero bytes is 0x8A9136AA, of these digits 0xE3069283.
  const auto masked = [](uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; };
  EXPECT_EQ(masked_crc32c(std::string(32, '\0')), masked(0x8A9136AA));
  EXPECT_EQ(masked_crc32c("123456789"), masked(0xE3069283));
}

TEST(EventFile, GivesBackItsEventsUpToTheFirstDamagedOne) {
  const TempDir folder;
  const auto path = folder / "new/events";
  const std::vector<std::string> events{
      version_event(1), scalar_event({2, 5}, {{"train/loss", 0.5}}), scalar_event({3, 6}, {})};
  {
    EventFile file(path);
    for (const auto& event : events) file.write(event);
  }
  EXPECT_EQ(read_event_file(path), events);
  EXPECT_EQ(read_event(events[1]).step, 5);
  EXPECT_EQ(read_event(events[1]).tag, "train/loss");
  const auto bytes = read_file(path);
  write_file(path, bytes.substr(0, bytes.size() - 3));
  EXPECT_EQ(read_event_file(path).size(), 2u) << "the last record is truncated";
  auto damaged = bytes;
  damaged[12] ^= 1;
  write_file(path, damaged);
  EXPECT_TRUE(read_event_file(path).empty());
  EXPECT_TRUE(read_event_file(folder / "none").empty());
}

TEST(EventFile, AFullDiskIsOneWarning) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  ::testing::internal::CaptureStderr();
  EventFile file("/dev/full");
  for (int i = 0; i < 3; ++i) file.write(version_event(i));
  const auto log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("/dev/full: No space left on device; training continues"), std::string::npos);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST(EventFile, ALaterProcessSortsBehindEvenWhenTheClockIsBehind) {
  const TempDir folder;
  std::string last;
  for (const int64_t seconds : {100, 100, 50}) {
    const auto path = next_event_file(folder.path(), seconds);
    EXPECT_GT(path, last);
    EventFile(path).write(version_event(0));
    last = path;
  }
  EXPECT_EQ(event_files(folder.path()).size(), 3u);
  EXPECT_NE(last.find("/events.out.tfevents.0000000102."), std::string::npos) << last;
}

}  // namespace
}  // namespace wf::testing
