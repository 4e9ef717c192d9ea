#include "runtime/log.h"

#include "weightformer/core/check.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace wf::log {
namespace {

std::mutex terminal;  // guards status_shown and keeps a status from splitting a line
bool status_shown = false;
std::atomic<bool> status_hidden{false};  // of a rank whose log lines are not shown either

// Erases the status, if there is one. Hold `terminal`.
void clear_status() {
  if (status_shown) std::fputs("\r\x1b[K", stderr);
  status_shown = false;
}

// One logger for the process: programs have one terminal and one run.
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "wf", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%Y-%m-%d %H:%M:%S %^%l%$ %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *instance;
}

using FileSink = spdlog::sinks::basic_file_sink_mt;

// The open file; guarded by `terminal`.
std::string file_path;
spdlog::sink_ptr file_sink;

// The lines before open(), for the file. Guarded by `terminal`.
struct EarlyLine {
  spdlog::log_clock::time_point when;
  spdlog::level::level_enum level;
  std::string message;
};
constexpr size_t kMostEarlyLines = 1000;
std::vector<EarlyLine> early_lines;

spdlog::sink_ptr open_sink(const std::string& path) {
  auto sink = std::make_shared<FileSink>(path, /*truncate=*/false);
  sink->set_pattern("%Y-%m-%d %H:%M:%S %l %v");
  return sink;
}

// If the file was moved or deleted with its directory and the directory exists again, lines go to a
// new file of the same name. Hold `terminal`.
void follow_file() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!file_sink || fs::exists(file_path, ignored) ||
      !fs::is_directory(fs::path(file_path).parent_path(), ignored)) {
    return;
  }
  try {
    auto fresh = open_sink(file_path);
    auto& sinks = logger().sinks();
    std::replace(sinks.begin(), sinks.end(), file_sink, fresh);
    file_sink = std::move(fresh);
  } catch (const spdlog::spdlog_ex&) {  // keep the old one
  }
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

std::string printable(std::string_view message) {
  std::string out(message);
  for (char& c : out) {
    const auto code = static_cast<unsigned char>(c);
    if ((code < 0x20 && c != '\t') || code == 0x7f) c = '?';
  }
  return out;
}

void write(Level level, std::string_view message) {
  const std::lock_guard lock(terminal);
  clear_status();
  follow_file();
  const auto line = printable(message);
  if (!file_sink && early_lines.size() < kMostEarlyLines) {
    early_lines.push_back({spdlog::log_clock::now(), spdlog_level(level), line});
  }
  logger().log(spdlog_level(level), line);
}

void only_errors_on_terminal() {
  logger().sinks()[0]->set_level(spdlog::level::err);
  status_hidden = true;
}

void record(Level level, std::string_view text) {
  const auto message = printable(text);
  const auto& sinks = logger().sinks();
  for (size_t i = 1; i < sinks.size(); ++i) {  // the first is the terminal
    // A logger would catch it. A full disk must not end the program.
    try {
      sinks[i]->log({"wf", spdlog_level(level), message});
      sinks[i]->flush();
    } catch (const spdlog::spdlog_ex& problem) {
      std::fprintf(stderr, "%s\n", problem.what());
    }
  }
}

// A full disk must not end the program, see record(). Hold `terminal`.
static void write_early_lines() {
  try {
    for (const auto& line : std::exchange(early_lines, {})) {
      file_sink->log({line.when, {}, "wf", line.level, line.message});
    }
    file_sink->flush();
  } catch (const spdlog::spdlog_ex& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
  }
}

void open(const std::string& path) {
  std::error_code ignored;
  WF_CHECK(!std::filesystem::is_fifo(path, ignored), path,
           ": cannot open the log file: it is a pipe");
  try {
    const std::lock_guard lock(terminal);
    file_sink = open_sink(path);
    file_path = std::filesystem::absolute(path).string();
    logger().sinks().push_back(file_sink);
    write_early_lines();
  } catch (const spdlog::spdlog_ex& problem) {
    throw Error(str(path, ": cannot open the log file: ", problem.what()));
  }
}

bool on_terminal() {
  static const bool answer = ::isatty(STDERR_FILENO) != 0;
  return answer && !status_hidden;
}

void status(const std::string& line) {
  if (!on_terminal()) return;
  const std::lock_guard lock(terminal);
  clear_status();
  std::fputs(line.c_str(), stderr);
  status_shown = !line.empty();
}

}  // namespace wf::log
