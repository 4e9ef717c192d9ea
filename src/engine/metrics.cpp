#include "weightformer/engine/metrics.h"

#include "runtime/log.h"

namespace wf {

std::string MetricSpec::show(double value) const {
  return fmt::format(fmt::runtime(format), value);
}

double Metrics::value(const MetricSpec& spec, double fallback) const {
  for (const auto& metric : all_) {
    if (metric.spec == &spec) return metric.value;
  }
  return fallback;
}

std::string Metrics::show() const {
  std::string out;
  for (const auto& [spec, value] : all_) {
    if (spec->count && value == 0) continue;
    out += (out.empty() ? "" : ", ") + std::string(spec->label) + " " + spec->show(value);
  }
  return out;
}

}  // namespace wf
