#include "data/augment/auto_augment.h"

#include "weightformer/core/check.h"

#include "core/distributions.h"
#include "data/augment/augment_policies.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
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

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, '-');) parts.push_back(part);
  return parts;
}

// "mstd0.5" in two.
struct Part {
  std::string key;
  double value;

  Part(const std::string& policy, const std::string& text) {
    const size_t digits = text.find_first_of("0123456789.");
    key = text.substr(0, digits);
    const std::string number = digits == std::string::npos ? "" : text.substr(digits);
    char* end = nullptr;
    value = std::strtod(number.c_str(), &end);
    if (number.empty() || *end || !std::isfinite(value)) unknown(policy, text);
  }
  [[noreturn]] static void unknown(const std::string& policy, const std::string& text) {
    refuse(policy, "unknown part '" + text + "'");
  }
};

// The variant that a policy's name asks for.
const AugmentOp& variant(std::string_view name, std::string_view posterize) {
  return augment_op(name == "Posterize" ? posterize : name);
}

const AugmentOp& increasing(std::string_view name) {
  const auto& some = policies::kIncreasing;
  const bool has = std::find(std::begin(some), std::end(some), name) != std::end(some);
  return augment_op(has ? std::string(name) + "Increasing" : std::string(name));
}

// What a `rand` string says.
struct RandOptions {
  double magnitude = 10, layers = 2, probability = 0.5, noise = 0, most = 10;
  bool increasing = false, old_weights = false;
  std::string set;
};

RandOptions rand_options(const std::string& policy) {
  RandOptions out;
  const auto parts = split(policy);
  for (size_t i = 1; i < parts.size(); ++i) {
    const auto& text = parts[i];
    if (text == "tweights" || text == "t3a" || text == "t3aw") {
      out.set = text.substr(1);
      continue;
    }
    const Part part(policy, text);
    const bool whole = part.value == std::floor(part.value);
    if (part.key == "m") {
      out.magnitude = part.value;
    } else if (part.key == "n" && whole && part.value <= 100) {
      out.layers = part.value;
    } else if (part.key == "p" && part.value <= 1) {
      out.probability = part.value;
    } else if (part.key == "mstd") {
      out.noise = part.value > 100 ? kInfinity : part.value;
    } else if (part.key == "mmax" && part.value > 0) {
      out.most = part.value;
    } else if (part.key == "inc" && (part.value == 0 || part.value == 1)) {
      out.increasing = part.value == 1;
    } else if (text == "w0") {
      out.old_weights = true;
    } else {
      Part::unknown(policy, text);
    }
  }
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
  most_ = rand.most;
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
    refuse(policy, str(layers_, " of ", possible, " operations, each of which comes once at most"));
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
  const auto parts = split(policy);
  for (size_t i = 1; i < parts.size(); ++i) {
    const Part part(policy, parts[i]);
    if (part.key != "mstd") Part::unknown(policy, parts[i]);
    noise_ = part.value;
  }
}

void AutoAugment::parse_mix(const std::string& policy) {
  double level = 3;
  chains_ = 3;
  noise_ = kInfinity;
  const auto parts = split(policy);
  for (size_t i = 1; i < parts.size(); ++i) {
    const Part part(policy, parts[i]);
    const bool count = part.value == std::floor(part.value) && part.value <= 100;
    if (part.key == "m") {
      level = part.value;
    } else if (part.key == "w" && count && part.value > 0) {
      chains_ = static_cast<int>(part.value);
    } else if (part.key == "d" && count) {
      depth_ = static_cast<int>(part.value);
    } else if (part.key == "a" && part.value > 0) {
      alpha_ = part.value;
    } else if (part.key == "mstd") {
      noise_ = part.value;
    } else {
      Part::unknown(policy, parts[i]);
    }
  }
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
        chosen = i;  // the last possible one catches what rounding leaves
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
  level = std::clamp(level, 0.0, most_);
  const bool negate = rng.uniform() < 0.5;
  auto warp = options_.warp;
  if (options_.random_interpolation) {
    warp.interpolation = rng.uniform() < 0.5 ? Interpolation::bilinear : Interpolation::bicubic;
  }
  const double argument = step.op->argument ? step.op->argument(level, negate) : 0;
  step.op->apply(image, argument, warp, rng);
}

}  // namespace wf
