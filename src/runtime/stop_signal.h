#pragma once

namespace wf {

/// From now on these signals only ask for a stop: SIGINT (Ctrl-C) and SIGTERM, of which the second
/// ends the process; SIGHUP (the terminal was closed; not under nohup), SIGUSR1 (a batch system
/// warns) and SIGXFSZ (a file reached `ulimit -f`), which may come again while the run saves.
/// `announce` tells so on standard error when the first one comes. A pipe that nobody reads any
/// more (SIGPIPE) does not end it.
void catch_stop_signals(bool announce = false);

/// Whether a stop was asked for, by a signal or by request_stop().
bool stop_requested();
void request_stop();
void clear_stop_request();

}  // namespace wf
