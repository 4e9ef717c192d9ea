// Kernels that are recorded once and launched together.
#pragma once

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <vector>

namespace wf {

/// What some work launches on a device, recorded: a CUDA graph.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  /// Records what `work` launches instead of running it. `work` has run before with the same
  /// shapes, reads nothing back, and draws only from `generators`, whose state each replay
  /// advances.
  virtual void record(const std::function<void()>& work,
                      const std::vector<at::Generator>& generators) = 0;

  /// Launches it again: the same kernels on the same memory.
  virtual void replay() = 0;
};

using DeviceGraphMaker = std::unique_ptr<DeviceGraph> (*)(c10::Device device);

/// Sets what makes the graphs of devices of a type; null: they have none. Returns what was set.
DeviceGraphMaker set_device_graphs(c10::DeviceType type, DeviceGraphMaker maker);

/// A new graph for `device`, or null if such devices have none.
std::unique_ptr<DeviceGraph> make_device_graph(c10::Device device);

}  // namespace wf
