#include "dist/traffic.h"

namespace wf {

Traffic operator-(const Traffic& now, const Traffic& before) {
  Traffic out;
  for (const auto& [name, sum] : now) {
    const auto earlier = before.find(name);
    auto left = sum;
    if (earlier != before.end()) {
      left.calls -= earlier->second.calls;
      left.bytes -= earlier->second.bytes;
    }
    if (left.calls > 0) out[name] = left;
  }
  return out;
}

double bytes_sent(const Traffic& traffic, int world) {
  double bytes = 0;
  for (const auto& [name, sum] : traffic) {
    const auto size = static_cast<double>(sum.bytes);
    bytes += name == "all-reduce" ? 2 * size * (world - 1) / world : size;
  }
  return bytes;
}

}  // namespace wf
