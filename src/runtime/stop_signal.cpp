#include "runtime/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

namespace wf {
namespace {

std::atomic<bool> requested{false}, announced{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int signal) {
  requested.store(true);
  std::signal(signal, SIG_DFL);
  if (!announced.load()) return;
  constexpr std::string_view kText = "\nstopping after this step, to save; again ends at once\n";
  // The one way to print that a signal handler has; nothing can be done where it fails.
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, kText.data(), kText.size());
}

}  // namespace

void catch_stop_signals(bool announce) {
  announced.store(announce);
  // Ctrl-C ends a `| tee` first: what is then printed must not end this before it has saved.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool stop_requested() { return requested.load(); }
void request_stop() { requested.store(true); }
void clear_stop_request() { requested.store(false); }

}  // namespace wf
