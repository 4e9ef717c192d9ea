#include "weightformer/dist/launch_env.h"

#include "weightformer/core/check.h"

#include <charconv>
#include <cstdlib>
#include <string>

namespace wf {
namespace {

int parse(const char* name, const std::string& text) {
  int value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  WF_CHECK(problem == std::errc() && end == text.data() + text.size() && value >= 0, name, "='",
           text, "': expected a whole number from 0 (set by torchrun)");
  return value;
}

}  // namespace

LaunchEnv read_launch_env() {
  const char* const names[] = {"RANK", "WORLD_SIZE", "LOCAL_RANK"};
  int values[3] = {0, 1, 0};
  std::string set, unset;
  for (int i = 0; i < 3; ++i) {
    const char* text = std::getenv(names[i]);
    auto& list = text ? set : unset;
    list += (list.empty() ? "" : ", ") + std::string(names[i]);
    if (text) values[i] = parse(names[i], text);
  }
  WF_CHECK(set.empty() || unset.empty(), "half a launch: ", set, " set but not ", unset,
           "; start with torchrun, or unset them to train in one process");
  WF_CHECK(values[1] > 0 && values[0] < values[1], "RANK=", values[0],
           " is not below WORLD_SIZE=", values[1]);
  return {values[0], values[1], values[2]};
}

}  // namespace wf
