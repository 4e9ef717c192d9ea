#pragma once

namespace wf {

/// From now on SIGINT (Ctrl-C) and SIGTERM only ask for a stop; the second one ends the process.
/// `announce` tells so on standard error when the first one comes. A pipe that nobody reads any
/// more (SIGPIPE) does not end it.
void catch_stop_signals(bool announce = false);

/// Whether a stop was asked for, by a signal or by request_stop().
bool stop_requested();
void request_stop();
void clear_stop_request();

}  // namespace wf
