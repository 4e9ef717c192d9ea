#pragma once

namespace wf {

/// Installs signal handlers that request a graceful stop: SIGINT (Ctrl-C) and SIGTERM, of which a
/// second one ends the process; SIGHUP (the terminal was closed; not under nohup), SIGUSR1 (warning
/// of a batch system) and SIGXFSZ (a file reached `ulimit -f`), which may repeat while the run
/// saves. With `announce`, the first one prints a line on standard error. SIGPIPE (a closed pipe)
/// is ignored.
void catch_stop_signals(bool announce = false);

/// Whether a stop was asked for, by a signal or by request_stop().
bool stop_requested();
void request_stop();
void clear_stop_request();

}  // namespace wf
