// Error handling and --version of every program.
#pragma once

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "checkpoint/git_version.h"
#include "config/parse_error.h"
#include "runtime/cpu_threads.h"
#include "runtime/log.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <system_error>

namespace wf {

/// Without them, the next files to be opened would take their numbers, and get what is printed.
inline void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) == -1) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

/// What a program that computes does first in main().
inline void prepare_process(char** argv) {
  open_standard_streams();
  choose_waiting_policy(argv);
  keep_freed_memory();
  set_threads(0, /*processes=*/1);
}

/// Runs `work`, which may parse the command line by `app`, and turns exceptions into one line on
/// standard error and an exit code: 2 for bad input and bad commands, 3 for a training that
/// diverged, 4 when another process of the run is lost, 1 for anything unexpected. Gives `app` the
/// flag --version.
template <typename Work>
int run_tool(CLI::App* app, Work work) {
  open_standard_streams();
  // A write beyond `ulimit -f` is then an error with a message. In training the signal is a stop.
  std::signal(SIGXFSZ, SIG_IGN);
  if (app) app->set_version_flag("--version", version_text(), "print the version and exit");
  const auto fail = [](std::string message, int code) {
    message = log::printable(message.substr(0, message.find('\n')));
    log::status("");
    log::record(log::Level::error, message);
    std::cerr << "error: " << message << std::endl;
    // Threads may still wait for a lost process, and returning from main would wait for them.
    if (code == Error::kPeerLost) std::_Exit(code);
    return code;
  };
  try {
    const int code = work();
    WF_CHECK(std::cout.flush(), "standard output: cannot write; the result is lost or incomplete");
    return code;
  } catch (const CLI::CallForHelp&) {
    if (app) std::cout << app->help();
    return 0;
  } catch (const CLI::CallForVersion&) {
    std::cout << version_text() << "\n";
    return 0;
  } catch (const CLI::ParseError& problem) {
    return fail(app ? explain(problem, *app, app->remaining()) : problem.what(), Error::kBadInput);
  } catch (const Error& problem) {
    return fail(problem.what(), problem.exit_code());
  } catch (const std::filesystem::filesystem_error& problem) {
    return fail(str(problem.path1().string(), ": ", problem.code().message()), Error::kBadInput);
  } catch (const std::system_error& problem) {  // a thread that cannot be started
    return fail(
        str(problem.code().message(), "; a limit of memory, threads or processes is reached"),
        Error::kUnexpected);
  } catch (const std::bad_alloc&) {
    return fail("out of memory", Error::kUnexpected);
  } catch (const std::exception& problem) {
    return fail(problem.what(), Error::kUnexpected);
  }
}

}  // namespace wf
