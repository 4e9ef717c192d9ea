#pragma once

#include <array>
#include <set>
#include <utility>

namespace wf {

/// What a key affects. All ranks must agree on all but machine keys; resuming logs changes of
/// evaluation and training keys.
enum class Scope {
  evaluation,  ///< what a trained model computes: the network and how its input is made
  training,    ///< the trained weights
  run,         ///< how the run is logged, saved and started
  machine,     ///< this machine or this process: paths, threads, the device
};
constexpr auto enum_names(Scope) {
  return std::array{std::pair{"evaluation", Scope::evaluation},
                    std::pair{"training", Scope::training}, std::pair{"run", Scope::run},
                    std::pair{"machine", Scope::machine}};
}

/// The scopes of keys that change what is trained.
inline const std::set<Scope> kTrainedBy{Scope::evaluation, Scope::training};

}  // namespace wf
