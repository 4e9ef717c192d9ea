// Log lines to standard error and, once `open` was called, to a file.
// spdlog is used in log.cpp only: its headers and torch's bundled fmt conflict in one file.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace wf::log {

enum class Level { debug, info, warning, error };

/// Writes one line, made printable, with time and level, to standard error and the open file.
/// Thread-safe.
void write(Level level, std::string_view message);

/// `text` with ? for line breaks and the commands of a terminal, which names of files may hold.
std::string printable(std::string_view text);

/// Appends the lines so far and all further ones to `path` too. Throws wf::Error when it cannot be
/// opened.
void open(const std::string& path);

/// Restricts console output to errors (used by ranks > 0); the open file still gets everything.
void only_errors_on_terminal();

/// Writes to the log file only, for what the console shows in another way.
void record(Level level, std::string_view message);

/// Shows `line` in the terminal's last row until the next line or status replaces it; "" clears it.
/// Does nothing where standard error is not a terminal. See `on_terminal`.
void status(const std::string& line);
bool on_terminal();

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace wf::log
