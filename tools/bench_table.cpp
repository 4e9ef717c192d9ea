// What wf_bench --save and --compare print.

#include "weightformer/core/check.h"

#include "bench_rounds.h"
#include "bench_verdict.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>

namespace wf {
namespace {

// "model wfm_tiny, batch 8", of what the lines differ in.
std::string shown(const Figure& figure, const Figures& all) {
  const auto what = nlohmann::ordered_json::parse(figure.what);
  std::string out;
  for (const auto& [key, value] : what.items()) {
    const auto shared = [&, &key = key, &value = value](const Figure& other) {
      const auto theirs = nlohmann::ordered_json::parse(other.what);
      return theirs.contains(key) && theirs[key] == value;
    };
    if (std::all_of(all.begin(), all.end(), shared)) continue;
    out += (out.empty() ? "" : ", ") + key + " " +
           (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

const Figure* same_figure(const Figures& figures, const Figure& figure) {
  for (const auto& other : figures) {
    if (other.what == figure.what && other.name == figure.name) return &other;
  }
  return nullptr;
}

}  // namespace

void print_comparison(const Figures& before, const Figures& now, Pairing pairing) {
  std::cout << fmt::format("{:<22}{:>12}{:>12}{:>9}  {}\n", "", "before", "now", "ratio",
                           fmt::format("{:.0f} % range", 100 * kBenchConfidence));
  std::string heading;
  size_t compared = 0;
  for (const auto& figure : now) {
    const auto* old = same_figure(before, figure);
    if (!old) continue;
    if (const auto next = shown(figure, now); next != heading)
      std::cout << (heading = next) << "\n";
    const auto ratio = pairing == Pairing::in_turn ? ratio_in_turn(old->rounds, figure.rounds)
                                                   : ratio_of_records(old->rounds, figure.rounds);
    const auto range =
        ratio.range ? fmt::format("{:.3f} to {:.3f}", ratio.range->first, ratio.range->second) : "";
    std::cout << fmt::format("{:<22}{:>12.4g}{:>12.4g}{:>9.3f}  {:<18} {}\n", figure.name,
                             median_of(old->rounds), median_of(figure.rounds), ratio.middle, range,
                             bench_verdict(ratio, larger_means(figure.name)));
    ++compared;
  }
  WF_CHECK(compared > 0, "the two programs have no figure in common");
}

void print_figures(const Figures& figures) {
  std::cout << fmt::format("{:<22}{:>12}{:>12}{:>12}\n", "", "median", "lowest", "highest");
  std::string heading;
  for (const auto& figure : figures) {
    if (const auto next = shown(figure, figures); next != heading) {
      std::cout << (heading = next) << "\n";
    }
    const auto [low, high] = std::minmax_element(figure.rounds.begin(), figure.rounds.end());
    std::cout << fmt::format("{:<22}{:>12.4g}{:>12.4g}{:>12.4g}\n", figure.name,
                             median_of(figure.rounds), *low, *high);
  }
}

}  // namespace wf
