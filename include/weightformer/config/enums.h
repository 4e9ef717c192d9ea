// The values of keys that allow a fixed set of names. Each enum has one table of its names, which
// parsing, error messages, dumping and docs/config.md use.
#pragma once

#include <array>
#include <utility>

namespace wf {

/// DATA.DATASET.
enum class DatasetKind { imagenet, cifar100, latents };
constexpr auto enum_names(DatasetKind) {
  return std::array{std::pair{"imagenet", DatasetKind::imagenet},
                    std::pair{"cifar100", DatasetKind::cifar100},
                    std::pair{"latents", DatasetKind::latents}};
}

/// DATA.INTERPOLATION: the resize filter. random: bilinear or bicubic, drawn for each training
/// image.
enum class InterpolationMode { bicubic, bilinear, random };
constexpr auto enum_names(InterpolationMode) {
  return std::array{std::pair{"bicubic", InterpolationMode::bicubic},
                    std::pair{"bilinear", InterpolationMode::bilinear},
                    std::pair{"random", InterpolationMode::random}};
}

/// DATA.CACHE_MODE: the read-ahead of a file into the page cache. no: nothing; part: this process's
/// 1 / world of the file; full: the complete file, beginning with that part.
enum class CacheMode { no, full, part };
constexpr auto enum_names(CacheMode) {
  return std::array{std::pair{"no", CacheMode::no}, std::pair{"full", CacheMode::full},
                    std::pair{"part", CacheMode::part}};
}

/// TRAIN.LOSS. binary: sigmoid and binary cross-entropy per class (Wightman et al. 2021).
enum class LossKind { cross_entropy, binary };
constexpr auto enum_names(LossKind) {
  return std::array{std::pair{"ce", LossKind::cross_entropy}, std::pair{"bce", LossKind::binary}};
}

/// TRAIN.LR_SCALING. linear: the learning rates are for a total batch of 512 and scale with the
/// batch (Goyal et al. 2017); none: they are used as written.
enum class LrScaling { linear, none };
constexpr auto enum_names(LrScaling) {
  return std::array{std::pair{"linear", LrScaling::linear}, std::pair{"none", LrScaling::none}};
}

/// TRAIN.LR_SCHEDULER.NAME.
enum class LrScheduleKind { cosine, linear, step, constant };
constexpr auto enum_names(LrScheduleKind) {
  return std::array{
      std::pair{"cosine", LrScheduleKind::cosine}, std::pair{"linear", LrScheduleKind::linear},
      std::pair{"step", LrScheduleKind::step}, std::pair{"constant", LrScheduleKind::constant}};
}

/// TRAIN.OPTIMIZER.NAME.
enum class OptimizerKind { adamw, sgd };
constexpr auto enum_names(OptimizerKind) {
  return std::array{std::pair{"adamw", OptimizerKind::adamw}, std::pair{"sgd", OptimizerKind::sgd}};
}

/// AUG.REMODE: the fill of erased regions, after normalization.
enum class ErasingFill {
  zero,   ///< the mean color
  color,  ///< one normal draw per channel
  pixel   ///< one normal draw per value
};
constexpr auto enum_names(ErasingFill) {
  return std::array{std::pair{"const", ErasingFill::zero}, std::pair{"rand", ErasingFill::color},
                    std::pair{"pixel", ErasingFill::pixel}};
}

/// AUG.MIXUP_MODE: the images that share one draw of the mixing parameters.
enum class MixupMode {
  batch,  ///< the batch
  pair,   ///< an image and its partner
  elem    ///< one draw per image
};
constexpr auto enum_names(MixupMode) {
  return std::array{std::pair{"batch", MixupMode::batch}, std::pair{"pair", MixupMode::pair},
                    std::pair{"elem", MixupMode::elem}};
}

/// DIST.COMPRESS: the dtype in which gradients are exchanged. none: that of the parameters.
enum class GradientCompression { none, bf16 };
constexpr auto enum_names(GradientCompression) {
  return std::array{std::pair{"none", GradientCompression::none},
                    std::pair{"bf16", GradientCompression::bf16}};
}

/// AMP_DTYPE: the dtype of matrix products.
enum class AmpDtype { bfloat16, float16 };
constexpr auto enum_names(AmpDtype) {
  return std::array{std::pair{"bfloat16", AmpDtype::bfloat16},
                    std::pair{"float16", AmpDtype::float16}};
}

/// AMP_RESIDUAL: the dtype of the tokens between layers.
enum class AmpResidual { float32, amp_dtype, autocast };
constexpr auto enum_names(AmpResidual) {
  return std::array{std::pair{"float32", AmpResidual::float32},
                    std::pair{"amp_dtype", AmpResidual::amp_dtype},
                    std::pair{"autocast", AmpResidual::autocast}};
}

/// DEVICE. automatic: CUDA when available, else the CPU.
enum class DeviceChoice { automatic, cpu, cuda };
constexpr auto enum_names(DeviceChoice) {
  return std::array{std::pair{"auto", DeviceChoice::automatic}, std::pair{"cpu", DeviceChoice::cpu},
                    std::pair{"cuda", DeviceChoice::cuda}};
}

/// AMP. automatic: where the device multiplies matrices of AMP_DTYPE fast.
enum class AmpMode { off, on, automatic };
constexpr auto enum_names(AmpMode) {
  return std::array{std::pair{"false", AmpMode::off}, std::pair{"true", AmpMode::on},
                    std::pair{"auto", AmpMode::automatic}};
}

/// The name of a value of one of these enums.
template <typename Enum>
constexpr const char* name_of(Enum value) {
  for (const auto& [name, known] : enum_names(Enum{})) {
    if (known == value) return name;
  }
  return "";
}

}  // namespace wf
