// Communication backends (Gloo, NCCL). Each has its own source file, because its headers are slow
// to compile and not available on every machine.
#pragma once

#include "dist/launch_env.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>

namespace wf {

struct BackendArguments {
  c10::intrusive_ptr<c10d::Store> store;
  const LaunchEnv& env;
  std::chrono::milliseconds timeout;
};

c10::intrusive_ptr<c10d::Backend> make_gloo(const BackendArguments& arguments);

/// Whether this build has NCCL.
bool has_nccl();

/// Throws wf::Error in a build without CUDA or without nccl.h.
c10::intrusive_ptr<c10d::Backend> make_nccl(const BackendArguments& arguments);

}  // namespace wf
