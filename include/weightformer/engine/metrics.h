#pragma once

#include <string>
#include <vector>

namespace wf {

enum class Better { higher, lower };

/// Name, label and format of a metric: one constant per metric, which every Metric points to.
struct MetricSpec {
  const char* name;    ///< in files: metrics.jsonl has "val_" + name
  const char* label;   ///< on the console
  const char* format;  ///< of the value, for fmt: "{:.2f} %"
  Better better = Better::higher;
  bool count = false;  ///< a number of samples, not a score: written as an integer
  /// The key in the line that --eval prints; null: "val_" + name.
  const char* eval_key = nullptr;

  /// `value` in the format of the console: "12.34 %".
  std::string show(double value) const;
  /// Whether `a` is at least as good as `b`.
  bool at_least_as_good(double a, double b) const {
    return better == Better::higher ? a >= b : a <= b;
  }
};

struct Metric {
  const MetricSpec* spec;
  double value;
};

/// Named values of one validation, in the order in which they are shown.
class Metrics {
 public:
  void add(const MetricSpec& spec, double value) { all_.push_back({&spec, value}); }

  /// The value of `spec`, or `fallback` when it is not among them.
  double value(const MetricSpec& spec, double fallback = 0) const;

  /// "val loss 0.6931, top-1 50.00 %, images 1000"; counts of zero are left out.
  std::string show() const;

  bool empty() const { return all_.empty(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

 private:
  std::vector<Metric> all_;
};

}  // namespace wf
