// Errors that a user can act on: WF_CHECK(condition, "what, where, what to do").
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace wf {

/// Bad input, a bad setting or an impossible request. The message is one line: what is wrong,
/// where, and what to do. Programs print it and exit with `exit_code()`.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, int exit_code = kBadInput)
      : std::runtime_error(message), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

  static constexpr int kUnexpected = 1;  // internal error or a failing dependency
  static constexpr int kBadInput = 2;
  static constexpr int kDiverged = 3;  // a loss or gradient is not finite
  static constexpr int kPeerLost = 4;  // another rank exited or timed out

 private:
  int exit_code_;
};

/// Concatenates streamable values: str("got ", 3, " rows").
template <typename... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace wf

/// Throws wf::Error with the concatenated parts unless `condition` holds.
#define WF_CHECK(condition, ...)                                 \
  do {                                                           \
    if (!(condition)) throw ::wf::Error(::wf::str(__VA_ARGS__)); \
  } while (false)
