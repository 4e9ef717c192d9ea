#include "core/device_graph.h"

#include <array>
#include <atomic>

namespace wf {
namespace {

std::atomic<DeviceGraphMaker>& maker_of(c10::DeviceType type) {
  static std::array<std::atomic<DeviceGraphMaker>,
                    static_cast<size_t>(c10::COMPILE_TIME_MAX_DEVICE_TYPES)>
      makers{};
  return makers.at(static_cast<size_t>(type));
}

}  // namespace

DeviceGraphMaker set_device_graphs(c10::DeviceType type, DeviceGraphMaker maker) {
  return maker_of(type).exchange(maker);
}

std::unique_ptr<DeviceGraph> make_device_graph(c10::Device device) {
  const auto maker = maker_of(device.type()).load();
  return maker ? maker(device) : nullptr;
}

}  // namespace wf
