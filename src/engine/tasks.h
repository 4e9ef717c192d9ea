#pragma once

#include "weightformer/config/config.h"
#include "weightformer/data/loader.h"
#include "weightformer/engine/task.h"

#include "core/registry.h"
#include "dist/launch_env.h"

#include <functional>
#include <memory>

namespace wf {

/// The request for which a task is built.
struct TaskRequest {
  LaunchEnv env;
  c10::Device device = c10::kCPU;
  Distributed* ranks = nullptr;  ///< ranks that must have the same data; null: a single process
  bool train = true;             ///< false: to evaluate or time, the training set is not opened
  Metadata saved = {};           ///< of the checkpoint that is evaluated
};

struct TaskSetup {
  std::unique_ptr<Task> task;
  std::unique_ptr<Loader> train;  ///< null unless TaskRequest::train
};

struct TaskEntry {
  /// Throws wf::Error for settings that the task refuses, before a run directory is made.
  void (*check)(const Config&);
  TaskSetup (*build)(const Config&, const TaskRequest&);
  /// MODEL.* as a network with random weights on a device.
  std::shared_ptr<Model> (*model)(const Config&, c10::Device);
  /// A forward pass of such a network over as many samples of zeros, on the device of its weights.
  std::function<void()> (*forward)(const Config&, Model&, int64_t samples);
};

/// All tasks by MODEL.TYPE.
const Registry<TaskEntry>& tasks();

}  // namespace wf
