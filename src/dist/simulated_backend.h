#pragma once

#include "dist/backend.h"
#include "dist/traffic.h"

#include <memory>

namespace wf {

/// Collectives of a run whose other ranks do not exist: as if all had the values of this one, so
/// that a sum is `world` times the value and a broadcast changes nothing. Adds what would be
/// exchanged to `traffic`.
c10::intrusive_ptr<c10d::Backend> make_simulated(const LaunchEnv& env,
                                                 std::shared_ptr<Traffic> traffic);

}  // namespace wf
