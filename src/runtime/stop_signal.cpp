#include "runtime/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace wf {
namespace {

std::atomic<bool> requested{false}, announced{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

// write() is async-signal-safe; a failure cannot be handled here.
void print(std::string_view text) {
  if (!announced.load()) return;
  const int before = errno;  // of the code that was interrupted
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
  errno = before;
}

// From a user who may press again.
void on_order(int signal) {
  requested.store(true);
  std::signal(signal, SIG_DFL);
  print("\nstopping after this step to save; press again to exit immediately\n");
}

// SIGHUP may arrive twice (shell and kernel), and SIGXFSZ with every further write: none of them
// may end the process while it saves.
void on_warning(int) {
  if (!requested.exchange(true)) print("\nstopping after this step to save\n");
}

}  // namespace

void catch_stop_signals(bool announce) {
  announced.store(announce);
  // Ctrl-C ends a `| tee` first: printing to the closed pipe must not end this process before it
  // has saved.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, on_order);
  std::signal(SIGTERM, on_order);
  std::signal(SIGUSR1, on_warning);
  std::signal(SIGXFSZ, on_warning);
  // nohup ignores it: the run is meant to outlive the terminal.
  if (std::signal(SIGHUP, on_warning) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool stop_requested() { return requested.load(); }
void request_stop() { requested.store(true); }
void clear_stop_request() { requested.store(false); }

}  // namespace wf
