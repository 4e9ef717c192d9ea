#include "runtime/progress_bar.h"

#include "runtime/log.h"

#include <algorithm>
#include <utility>

namespace wf {

std::string progress_text(const std::string& what, int64_t done, int64_t total,
                          const std::string& unit, double seconds) {
  constexpr int64_t kWidth = 24;
  const int64_t full = total > 0 ? std::min(kWidth, kWidth * done / total) : kWidth;
  const auto bar = std::string(static_cast<size_t>(full), '=') +
                   std::string(static_cast<size_t>(kWidth - full), ' ');
  const auto begin = fmt::format("{} [{}] {}/{} {}", what, bar, done, total, unit);
  if (done == 0 || seconds <= 0) return begin;
  const double speed = static_cast<double>(done) / seconds;
  return fmt::format("{}  {:.1f} {}/s  eta {}", begin, speed, unit,
                     clock_time(static_cast<double>(std::max<int64_t>(0, total - done)) / speed));
}

ProgressBar::ProgressBar(std::string what, int64_t total, std::string unit)
    : what_(std::move(what)), unit_(std::move(unit)), total_(total) {}

ProgressBar::~ProgressBar() {
  if (drawn_) log::status("");
}

void ProgressBar::show(int64_t done) {
  constexpr double kOnTerminal = 0.1, kElsewhere = 60;
  const bool terminal = log::on_terminal();
  const bool first = terminal && !drawn_;
  if (!first && since_shown_.seconds() < (terminal ? kOnTerminal : kElsewhere)) return;
  since_shown_.restart();
  const auto text = progress_text(what_, done, total_, unit_, since_begin_.seconds());
  drawn_ = terminal;
  terminal ? log::status(text) : log::write(log::Level::info, text);
}

}  // namespace wf
