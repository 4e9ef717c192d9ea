// Runs programs as a user does.
#pragma once

#include "support/temp_dir.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

namespace wf::testing {

struct Finished {
  int code = -1;  // exit code; 128 + signal when killed
  std::string out, err;
};

/// A child process with its output in files.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command) {
    std::vector<char*> words;
    for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    const std::string out = folder_ / "out", err = folder_ / "err";
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      ::dup2(::open("/dev/null", O_RDONLY), 0);
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0644), 1);
      ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0644), 2);
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
  }
  ~Process() {
    if (pid_ > 0) {
      send(SIGKILL);
      wait();
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return pid_; }
  void send(int signal) const { ::kill(pid_, signal); }
  std::string err() const { return read_file(folder_ / "err"); }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  /// Waits until the log holds `text`; false when the process ended without it.
  bool wait_for(const std::string& text) {
    while (err().find(text) == std::string::npos) {
      if (!running()) return err().find(text) != std::string::npos;
      ::usleep(2000);
    }
    return true;
  }
  Finished wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
    return {code, read_file(folder_ / "out"), err()};
  }

 private:
  TempDir folder_;
  pid_t pid_ = -1;
  int status_ = 0;
};

inline Finished run(const std::vector<std::string>& command) { return Process(command).wait(); }

inline std::string program(const std::string& name) { return WF_BIN_DIR "/" + name; }

}  // namespace wf::testing
