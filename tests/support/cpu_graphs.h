// Graphs for the CPU, which has none: a replay runs the recorded work again.
#pragma once

#include "core/device_graph.h"

#include <ATen/core/Tensor.h>

namespace wf::testing {

/// While it exists, CPUs have graphs.
class CpuGraphs {
 public:
  CpuGraphs() : before_(set_device_graphs(c10::kCPU, &make)) { counts() = {}; }
  ~CpuGraphs() { set_device_graphs(c10::kCPU, before_); }
  CpuGraphs(const CpuGraphs&) = delete;
  CpuGraphs& operator=(const CpuGraphs&) = delete;

  struct Counts {
    int recorded = 0, replayed = 0;
  };
  static Counts& counts() {
    static Counts all;
    return all;
  }

 private:
  class Graph : public DeviceGraph {
   public:
    void record(const std::function<void()>& work, const std::vector<at::Generator>&) override {
      work_ = work;
      ++counts().recorded;
    }
    void replay() override {
      work_();
      ++counts().replayed;
    }

   private:
    std::function<void()> work_;  // which a GPU does not run either when it is recorded
  };
  static std::unique_ptr<DeviceGraph> make(c10::Device) { return std::make_unique<Graph>(); }

  DeviceGraphMaker before_;
};

}  // namespace wf::testing
