// The rendezvous of the processes of a run: the store at MASTER_ADDR:MASTER_PORT.
#pragma once

#include "dist/launch_env.h"

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>

namespace wf {

/// Opens the store, as its server on rank 0 unless torchrun's agent has one. Waits for a server to
/// connect to; throws wf::Error (kPeerLost) when there is none after `timeout`, and
/// std::runtime_error when another service answers.
c10::intrusive_ptr<c10d::Store> open_store(const LaunchEnv& env, std::chrono::milliseconds timeout);

}  // namespace wf
