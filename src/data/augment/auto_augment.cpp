#include "data/augment/auto_augment.h"

#include "weightformer/core/check.h"

#include "core/distributions.h"
#include "data/augment/augment_policies.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>

namespace wf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr const char* kKnown =
    "known are none; rand with parts mN, nN, pF, mstdF, mmaxN, inc0, inc1, w0, tweights, t3a, "
    "t3aw, as in rand-m9-mstd0.5-inc1; original, originalr, v0, v0r and 3a with a part mstdF; "
    "augmix with parts mN, wN, dN, aF, mstdF";

[[noreturn]] void refuse(const std::string& policy, const std::string& why) {
  throw Error(str("AUG.AUTO_AUGMENT '", policy, "': ", why, "; ", kKnown));
}

// The part after the name in "rand-m9-inc1".
std::vector<std::string> parts_of(const std::string& policy) {
  std::vector<std::string> parts;
  std::istringstream in(policy);
  std::string part;
  std::getline(in, part, '-');
  while (std::getline(in, part, '-')) parts.push_back(part);
  return parts;
}

// A part of a policy with a number, such as mstd0.5, and the allowed numbers.
struct PartRule {
  const char* key;
  double min = 0, max = kInfinity;
  bool integer = false;

  bool allows(double value) const {
    return value >= min && value <= max && (!integer || value == std::floor(value));
  }
  std::string expected() const {
    const char* kind = integer ? "an integer" : "a number";
    if (std::isfinite(max)) return str(kind, " from ", min, " to ", max);
    return str(kind, min > 0 ? " above 0" : " of at least 0");
  }
};
constexpr double kAboveZero = std::numeric_limits<double>::min();
constexpr PartRule kRandParts[] = {{"m"},
                                   {"n", 0, 100, true},
                                   {"p", 0, 1},
                                   {"mstd"},
                                   {"mmax", kAboveZero},
                                   {"inc", 0, 1, true},
                                   {"w", 0, 0, true}};
constexpr PartRule kNamedParts[] = {{"mstd"}};
constexpr PartRule kMixParts[] = {
    {"m"}, {"w", 1, 100, true}, {"d", 0, 100, true}, {"a", kAboveZero}, {"mstd"}};

// The numbers of a policy's parts, by key.
class PartNumbers {
 public:
  template <typename Rules>
  PartNumbers(const std::string& policy, const std::vector<std::string>& parts,
              const Rules& rules) {
    for (const auto& part : parts) {
      const size_t digits = part.find_first_of("0123456789.");
      const std::string key = part.substr(0, digits);
      const auto rule = std::find_if(std::begin(rules), std::end(rules),
                                     [&](const PartRule& known) { return key == known.key; });
      if (rule == std::end(rules)) refuse(policy, "unknown part '" + part + "'");
      const std::string number = digits == std::string::npos ? "" : part.substr(digits);
      char* end = nullptr;
      const double value = std::strtod(number.c_str(), &end);
      if (number.empty() || *end || !std::isfinite(value) || !rule->allows(value)) {
        refuse(policy, str("part '", part, "': expected ", key, " and ", rule->expected(),
                           ", got '", number, "'"));
      }
      values_[key] = value;
    }
  }

  double get(const std::string& key, double otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }
  bool has(const std::string& key) const { return values_.count(key) > 0; }

 private:
  std::map<std::string, double> values_;
};

// The variant selected by the name of a policy.
const AugmentOp& variant(std::string_view name, std::string_view posterize) {
  return augment_op(name == "Posterize" ? posterize : name);
}

const AugmentOp& increasing(std::string_view name) {
  const auto& some = policies::kIncreasing;
  const bool has = std::find(std::begin(some), std::end(some), name) != std::end(some);
  return augment_op(has ? std::string(name) + "Increasing" : std::string(name));
}

// The settings of a `rand` policy.
struct RandOptions {
  double magnitude = 10, layers = 2, probability = 0.5, noise = 0, most = 10;
  bool increasing = false, old_weights = false;
  std::string set;
};

RandOptions rand_options(const std::string& policy) {
  RandOptions out;
  std::vector<std::string> with_numbers;
  for (const auto& part : parts_of(policy)) {
    if (part == "tweights" || part == "t3a" || part == "t3aw") {
      out.set = part.substr(1);
    } else {
      with_numbers.push_back(part);
    }
  }
  const PartNumbers numbers(policy, with_numbers, kRandParts);
  out.magnitude = numbers.get("m", out.magnitude);
  out.layers = numbers.get("n", out.layers);
  out.probability = numbers.get("p", out.probability);
  out.noise = numbers.get("mstd", out.noise);
  if (out.noise > 100) out.noise = kInfinity;
  out.most = numbers.get("mmax", out.most);
  out.increasing = numbers.get("inc", 0) == 1;
  out.old_weights = numbers.has("w");
  return out;
}

}  // namespace

AutoAugment::AutoAugment(const std::string& policy, const AutoAugmentOptions& options)
    : options_(options) {
  const auto name = policy.substr(0, policy.find('-'));
  if (name == "rand") {
    parse_rand(policy);
  } else if (name == "augmix") {
    parse_mix(policy);
  } else {
    parse_named(policy);
  }
}

void AutoAugment::parse_rand(const std::string& policy) {
  const auto rand = rand_options(policy);
  layers_ = static_cast<int>(rand.layers);
  noise_ = rand.noise;
  max_level_ = rand.most;
  const auto add = [&](const AugmentOp& op) {
    groups_.push_back({{&op, rand.probability, rand.magnitude}});
  };
  const auto add_all = [&](const auto& choices, bool weighted) {
    for (const auto& [name, weight] : choices) {
      add(augment_op(name));
      if (weighted) weights_.push_back(weight);
    }
  };
  if (rand.set == "weights") add_all(policies::kWeights, true);
  if (rand.set == "3a") add_all(policies::k3a, false);
  if (rand.set == "3aw") add_all(policies::k3aWeighted, true);
  if (rand.set.empty()) {
    for (const auto& [name, weight] : policies::kRand) {
      add(rand.increasing ? increasing(name) : augment_op(name));
      if (rand.old_weights) weights_.push_back(weight);
    }
  }
  const auto possible =
      std::count_if(weights_.begin(), weights_.end(), [](double w) { return w > 0; });
  if (!weights_.empty() && layers_ > possible) {
    refuse(policy, str(layers_, " of ", possible, " operations, each of which may occur once"));
  }
}

void AutoAugment::parse_named(const std::string& policy) {
  const std::string name = policy.substr(0, policy.find('-'));
  const auto add = [&](const auto& pairs, std::string_view posterize) {
    for (const auto& pair : pairs) {
      groups_.push_back(
          {{&variant(pair.first, posterize), pair.first_probability, pair.first_level},
           {&variant(pair.second, posterize), pair.second_probability, pair.second_level}});
    }
  };
  if (name == "original") {
    add(policies::kOriginal, "PosterizeOriginal");
  } else if (name == "originalr") {
    add(policies::kOriginal, "PosterizeIncreasing");
  } else if (name == "v0") {
    add(policies::kV0, "Posterize");
  } else if (name == "v0r") {
    add(policies::kV0, "PosterizeIncreasing");
  } else if (name == "3a") {
    groups_ = {{{&augment_op("Solarize"), 1, 5}},
               {{&augment_op("Desaturate"), 1, 10}},
               {{&augment_op("GaussianBlurRand"), 1, 10}}};
  } else {
    refuse(policy, "unknown policy");
  }
  noise_ = PartNumbers(policy, parts_of(policy), kNamedParts).get("mstd", 0);
}

void AutoAugment::parse_mix(const std::string& policy) {
  const PartNumbers numbers(policy, parts_of(policy), kMixParts);
  chains_ = static_cast<int>(numbers.get("w", 3));
  depth_ = static_cast<int>(numbers.get("d", 0));
  alpha_ = numbers.get("a", 1);
  noise_ = numbers.get("mstd", kInfinity);
  const double level = numbers.get("m", 3);
  for (const auto name : policies::kMix) groups_.push_back({{&augment_op(name), 1, level}});
}

// Sums in float32, truncated, as timm.
void AutoAugment::mix(Image& image, CounterRng& rng) const {
  const auto shares = dirichlet(alpha_, chains_, rng);
  const double strength = beta(alpha_, alpha_, rng);
  std::vector<float> sum(image.pixels.size());
  for (const double share : shares) {
    Image chain = image;
    const int64_t depth = depth_ > 0 ? depth_ : 1 + rng.below(3);
    for (int64_t i = 0; i < depth; ++i) {
      const auto chosen = rng.below(static_cast<int64_t>(groups_.size()));
      apply(groups_[static_cast<size_t>(chosen)][0], chain, rng);
    }
    const auto weight = static_cast<float>(share);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += weight * chain.pixels[i];
  }
  Image mixed{image.height, image.width, std::vector<uint8_t>(sum.size())};
  for (size_t i = 0; i < sum.size(); ++i) {
    mixed.pixels[i] = static_cast<uint8_t>(std::min(sum[i], 255.0f));
  }
  blend(image, mixed, strength);
}

void AutoAugment::operator()(Image& image, CounterRng& rng) const {
  if (chains_ > 0) return mix(image, rng);
  auto weights = weights_;
  for (int layer = 0; layer < layers_; ++layer) {
    size_t chosen = 0;
    if (weights.empty()) {
      chosen = static_cast<size_t>(rng.below(static_cast<int64_t>(groups_.size())));
    } else {
      double sum = 0;
      for (double weight : weights) sum += weight;
      double at = rng.uniform() * sum;
      for (size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] <= 0) continue;
        chosen = i;  // the last possible one, in case of rounding
        if (at < weights[i]) break;
        at -= weights[i];
      }
      weights[chosen] = 0;
    }
    for (const auto& step : groups_[chosen]) apply(step, image, rng);
  }
}

void AutoAugment::apply(const Step& step, Image& image, CounterRng& rng) const {
  if (step.probability < 1 && rng.uniform() >= step.probability) return;
  double level = step.magnitude;
  if (noise_ == kInfinity) {
    level = rng.uniform(0, level);
  } else if (noise_ > 0) {
    level += noise_ * rng.normal();
  }
  level = std::clamp(level, 0.0, max_level_);
  const bool negate = rng.uniform() < 0.5;
  auto warp = options_.warp;
  if (options_.random_interpolation) {
    warp.interpolation = rng.uniform() < 0.5 ? Interpolation::bilinear : Interpolation::bicubic;
  }
  const double argument = step.op->argument ? step.op->argument(level, negate) : 0;
  step.op->apply(image, argument, warp, rng);
}

}  // namespace wf
