#pragma once

#include <array>
#include <utility>

namespace wf {

/// What a key affects. All ranks must agree on training and run keys; resuming logs changes of
/// training keys.
enum class Scope {
  training,  ///< the trained weights
  run,       ///< how the run is logged, saved and started
  machine,   ///< this machine or this process: paths, threads, the device
};
constexpr auto enum_names(Scope) {
  return std::array{std::pair{"training", Scope::training}, std::pair{"run", Scope::run},
                    std::pair{"machine", Scope::machine}};
}

}  // namespace wf
