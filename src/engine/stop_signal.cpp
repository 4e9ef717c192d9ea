#include "weightformer/engine/stop_signal.h"

#include <atomic>
#include <csignal>

namespace wf {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int signal) {
  requested.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool stop_requested() { return requested.load(); }
void request_stop() { requested.store(true); }
void clear_stop_request() { requested.store(false); }

}  // namespace wf
