#include "core/peak_memory.h"

#include "core/tensor_bytes.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <fstream>
#include <string>

namespace wf {
namespace {

// Not getrusage's ru_maxrss, which begins with that of the program that started this one.
double peak_resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  return 0;
}

}  // namespace

double peak_memory_mib(c10::Device device) {
  if (device.is_cpu()) return peak_resident_mib();
  const auto index = device.has_index() ? device.index() : c10::DeviceIndex{0};
  const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(index);
  return static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 20);
}

MemoryUse memory_use(c10::Device device, const std::function<void()>& work) {
  if (device.is_cpu()) {
    const TensorBytes bytes;
    work();
    return {bytes.peak(), bytes.now()};
  }
  auto* allocator = c10::getDeviceAllocator(device.type());
  const auto index = device.has_index() ? device.index() : c10::DeviceIndex{0};
  const auto allocated = [&] { return allocator->getDeviceStats(index).allocated_bytes[0]; };
  allocator->resetPeakStats(index);
  const auto before = allocated().current;
  work();
  const auto after = allocated();
  return {after.peak - before, after.current - before};
}

}  // namespace wf
