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

// The one way to print that a signal handler has; nothing can be done where it fails.
void tell(std::string_view text) {
  if (!announced.load()) return;
  const int before = errno;  // of the code that was interrupted
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
  errno = before;
}

// Of somebody who may lose patience.
void on_order(int signal) {
  requested.store(true);
  std::signal(signal, SIG_DFL);
  tell("\nstopping after this step, to save; again ends at once\n");
}

// A shell and the kernel both send SIGHUP, and each further write sends SIGXFSZ again: none of them
// may end the process while it saves.
void on_warning(int) {
  if (!requested.exchange(true)) tell("\nstopping after this step, to save\n");
}

}  // namespace

void catch_stop_signals(bool announce) {
  announced.store(announce);
  // Ctrl-C ends a `| tee` first: what is then printed must not end this before it has saved.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, on_order);
  std::signal(SIGTERM, on_order);
  std::signal(SIGUSR1, on_warning);
  std::signal(SIGXFSZ, on_warning);
  // nohup has it ignored, and then the run is meant to outlive the terminal.
  if (std::signal(SIGHUP, on_warning) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
}

bool stop_requested() { return requested.load(); }
void request_stop() { requested.store(true); }
void clear_stop_request() { requested.store(false); }

}  // namespace wf
