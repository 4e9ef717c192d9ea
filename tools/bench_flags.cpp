// The command line of wf_bench. Parsed without CLI11, so that wf_bench builds with only LibTorch.

#include "bench.h"
#include "core/registry.h"

#include <utility>
#include <variant>

namespace wf {
namespace {

using Flag = std::pair<std::string, std::variant<bool*, int64_t*, std::string*>>;

std::vector<Flag> flags_of(BenchOptions& o) {
  return {{"--model", &o.model},
          {"--mode", &o.mode},
          {"--batch", &o.batch},
          {"--size", &o.size},
          {"--dtype", &o.dtype},
          {"--device", &o.device},
          {"--threads", &o.threads},
          {"--steps", &o.steps},
          {"--warmup", &o.warmup},
          {"--dynamic-linear", &o.dynamic_linear},
          {"--weights", &o.weights},
          {"--load", &o.load},
          {"--unverified", &o.unverified},
          {"--phases", &o.phases},
          {"--floor", &o.floor},
          {"--trace", &o.trace},
          {"--traffic", &o.traffic},
          {"--sweep", &o.sweep},
          {"--ops", &o.ops},
          {"--data", &o.data},
          {"--workers", &o.workers},
          {"--images", &o.images},
          {"--passes", &o.passes},
          {"--save", &o.save},
          {"--compare", &o.compare},
          {"--rounds", &o.rounds}};
}

int64_t number(const std::string& flag, const std::string& value) {
  WF_CHECK(!value.empty() && value.size() < 10 &&
               value.find_first_not_of("0123456789") == std::string::npos,
           flag, ": expected a number, got ", value);
  return std::stoll(value);
}

const Flag& find(const std::vector<Flag>& flags, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& flag : flags) {
    if (flag.first == name) return flag;
    known.push_back(flag.first);
  }
  throw Error(str("unknown flag ", name, ", did you mean ", nearest(name, known), "?"));
}

}  // namespace

BenchOptions parse_bench_flags(const std::vector<std::string>& words) {
  BenchOptions o;
  const auto flags = flags_of(o);
  for (size_t i = 0; i < words.size(); ++i) {
    const auto& [name, target] = find(flags, words[i]);
    if (auto* const* on = std::get_if<bool*>(&target)) {
      **on = true;
      continue;
    }
    WF_CHECK(i + 1 < words.size(), name, ": needs a value; --help lists the flags");
    const auto& value = words[++i];
    if (auto* const* count = std::get_if<int64_t*>(&target)) **count = number(name, value);
    if (auto* const* text = std::get_if<std::string*>(&target)) **text = value;
    o.model_given |= name == "--model";
  }
  WF_CHECK(o.mode == "infer" || o.mode == "train", "--mode: expected infer or train, got ", o.mode);
  WF_CHECK(o.sweep.empty() || o.sweep == "resolution", "--sweep: expected resolution, got ",
           o.sweep);
  WF_CHECK(o.batch > 0 && o.steps > 0 && o.threads > 0, "--batch, --steps, --threads: at least 1");
  WF_CHECK(!o.phases || o.mode == "train", "--phases needs --mode train");
  WF_CHECK(!o.load || !o.weights.empty(), "--load needs --weights FILE");
  return o;
}

}  // namespace wf
