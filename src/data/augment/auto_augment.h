// Policies of pixel operations: RandAugment, AutoAugment, 3-Augment and AugMix, as in timm.
#pragma once

#include "weightformer/core/random.h"

#include "data/image/image.h"
#include "data/image/image_ops.h"

#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// An operation by its name in timm.
struct AugmentOp {
  std::string_view name;
  /// Its argument for a level of 0…10, and the negated one where a sign is drawn; null: no
  /// argument.
  double (*argument)(double level, bool negate);
  void (*apply)(Image& image, double argument, const WarpOptions& warp, CounterRng& rng);
};

/// Throws wf::Error for an unknown name.
const AugmentOp& augment_op(std::string_view name);

struct AutoAugmentOptions {
  WarpOptions warp;
  bool random_interpolation = false;  ///< bilinear or bicubic at each warp, instead of the warp's
};

/// A policy, ready to be applied. Immutable, thread-safe.
///
/// The strings are timm's, parts in any order after the first:
///   rand[-mN][-nN][-pF][-mstdF][-mmaxN][-inc1][-tNAME][-w0]
///     RandAugment (Cubuk et al. 2019): n operations (2), each applied with probability p (0.5) at
///     level m (10), to which normal noise of standard deviation mstd is added (above 100: uniform
/// in
///     0…m), clipped to 0…mmax (10). inc1: all operations get stronger with the level. t: the set
/// of operations: weights, 3a, 3aw. w0: the weights of timm before 1.0.
///   original, originalr, v0, v0r, 3a, each with [-mstdF]
///     AutoAugment (Cubuk et al. 2018), that of TPU EfficientNet, both also with research's
///     posterize ("r"); one of solarize, gray, blur (Touvron et al. 2022).
///   augmix[-mN][-wN][-dN][-aF][-mstdF]
///     AugMix (Hendrycks et al. 2020): w chains (3) of d operations each (0: 1 to 3) at a level
///     uniform in 0…m (3), or m with noise of standard deviation mstd; their average, with weights
/// from Dirichlet(a) (1), is blended with the image by Beta(a, a).
class AutoAugment {
 public:
  struct Step {
    const AugmentOp* op;
    double probability, magnitude;
  };

  /// Throws wf::Error, in one line that lists the known policies, for an invalid string.
  AutoAugment(const std::string& policy, const AutoAugmentOptions& options);

  /// In place; choices come from `rng`.
  void operator()(Image& image, CounterRng& rng) const;

  /// The operations of the policy.
  const std::vector<std::vector<Step>>& groups() const { return groups_; }

 private:
  void parse_rand(const std::string& policy);
  void parse_named(const std::string& policy);
  void parse_mix(const std::string& policy);
  void mix(Image& image, CounterRng& rng) const;
  void apply(const Step& step, Image& image, CounterRng& rng) const;

  AutoAugmentOptions options_;
  std::vector<std::vector<Step>> groups_;
  std::vector<double> weights_;  // empty: equal weights, with replacement
  int layers_ = 1;               // groups chosen for an image
  double noise_ = 0;             // infinite: uniform
  double max_level_ = 10;        // level
  int chains_ = 0, depth_ = 0;   // of AugMix
  double alpha_ = 1;
};

}  // namespace wf
