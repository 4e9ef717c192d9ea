// Error messages of calls.
#pragma once

#include "weightformer/core/check.h"

#include <string>

namespace wf::testing {

/// The message of the wf::Error that `call` throws; "" when it throws none. Other exceptions
/// propagate.
template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace wf::testing
