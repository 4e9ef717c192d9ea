#include "core/stopwatch.h"
#include "engine/doctor/finding.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr double kMiB = 1 << 20;

// Bytes written and flushed to a temporary file, or what went wrong.
struct Written {
  double bytes = 0, seconds = 0;
  int problem = 0;
};

Written write_in(const fs::path& directory) {
  constexpr int kTimes = 32;
  Written out;
  auto name = (directory / "wf_doctor_XXXXXX").string();
  const int file = ::mkstemp(name.data());
  if (file < 0) return {0, 0, errno};
  const std::string block(1 << 20, 'x');
  const Stopwatch watch;
  for (int i = 0; i < kTimes && out.problem == 0; ++i) {
    const auto count = ::write(file, block.data(), block.size());
    if (count < 0) out.problem = errno;
    if (count >= 0 && count < static_cast<ssize_t>(block.size())) out.problem = ENOSPC;
    out.bytes += static_cast<double>(count > 0 ? count : 0);
  }
  if (out.problem == 0 && ::fsync(file) != 0) out.problem = errno;
  out.seconds = watch.seconds();
  ::close(file);
  ::unlink(name.c_str());
  return out;
}

fs::path nearest_existing(const std::string& directory) {
  std::error_code ignored;
  auto place = fs::absolute(directory);
  while (!fs::exists(place, ignored) && place != place.parent_path()) place = place.parent_path();
  return place;
}

}  // namespace

Findings check_output(const std::string& directory) {
  constexpr double kFew = 1024, kSlow = 1;  // MiB, MiB/s
  const auto place = nearest_existing(directory);
  std::error_code problem;
  if (!fs::is_directory(place, problem)) {
    return {{Severity::fault, "output", place.string() + " is no directory",
             "choose another --output"}};
  }
  const auto written = write_in(place);
  if (written.problem != 0) {
    return {{Severity::fault, "output",
             fmt::format("{}: cannot write: {}", place.string(), std::strerror(written.problem)),
             written.problem == ENOSPC || written.problem == EDQUOT
                 ? "free some space there, or choose another --output"
                 : "make it writable, or choose another --output"}};
  }
  const auto space = static_cast<double>(fs::space(place, problem).available) / kMiB;
  const double speed = written.bytes / kMiB / written.seconds;
  Finding finding{
      Severity::fine, "output",
      fmt::format("{:.0f} MiB free in {}, written at {:.0f} MiB/s", space, place.string(), speed),
      ""};
  if (space < kFew) {
    finding.severity = Severity::warning;
    finding.advice =
        "checkpoints may not fit: free some space, choose another --output, or lower SAVE_KEEP";
  } else if (speed < kSlow) {
    finding.severity = Severity::warning;
    finding.advice = "saving will take long: choose a faster disk by --output, or raise SAVE_FREQ";
  }
  return {finding};
}

}  // namespace wf
