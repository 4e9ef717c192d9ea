// timm's names of the pixel operations, and the meaning of its levels for each.

#include "weightformer/core/check.h"

#include "data/augment/auto_augment.h"

#include <algorithm>

namespace wf {
namespace {

using Warp = const WarpOptions&;
using Rng = CounterRng&;

double signed_by(double value, bool negate) { return negate ? -value : value; }
// 0.1…1.9; 1 is no change.
double enhance(double level, bool) { return level / 10 * 1.8 + 0.1; }
double enhance_increasing(double level, bool negate) {
  return std::max(0.1, 1 + signed_by(level / 10 * 0.9, negate));
}
double degrees(double level, bool negate) { return signed_by(level / 10 * 30, negate); }
double shear(double level, bool negate) { return signed_by(level / 10 * 0.3, negate); }
double share(double level, bool negate) { return signed_by(level / 10 * 0.45, negate); }
double share30(double level, bool negate) { return signed_by(level / 10 * 0.3, negate); }
double bits(double level, bool) { return static_cast<int>(level / 10 * 4); }
double threshold(double level, bool) { return std::min(256, static_cast<int>(level / 10 * 256)); }
double between(double level, double low, double high) {
  return std::clamp(low + (high - low) * (level / 10), low, high);
}

void do_posterize(Image& image, double kept, Warp, Rng) {
  posterize(image, static_cast<int>(kept));
}
void do_solarize(Image& image, double from, Warp, Rng) { solarize(image, static_cast<int>(from)); }
void do_color(Image& image, double factor, Warp, Rng) { adjust_color(image, factor); }
void do_contrast(Image& image, double factor, Warp, Rng) { adjust_contrast(image, factor); }
void do_brightness(Image& image, double factor, Warp, Rng) { adjust_brightness(image, factor); }
void do_sharpness(Image& image, double factor, Warp, Rng) { adjust_sharpness(image, factor); }

void move_x(Image& image, double by, Warp warp, Rng) {
  affine(image, {1, 0, by * image.width, 0, 1, 0}, warp);
}
void move_y(Image& image, double by, Warp warp, Rng) {
  affine(image, {1, 0, 0, 0, 1, by * image.height}, warp);
}

constexpr AugmentOp kOps[] = {
    {"AutoContrast", nullptr, [](Image& image, double, Warp, Rng) { autocontrast(image); }},
    {"Equalize", nullptr, [](Image& image, double, Warp, Rng) { equalize(image); }},
    {"Invert", nullptr, [](Image& image, double, Warp, Rng) { invert(image); }},
    {"Rotate", degrees,
     [](Image& image, double angle, Warp warp, Rng) { rotate(image, angle, warp); }},
    {"Posterize", bits, do_posterize},
    {"PosterizeIncreasing", [](double level, bool) { return 4 - bits(level, false); },
     do_posterize},
    {"PosterizeOriginal", [](double level, bool) { return 4 + bits(level, false); }, do_posterize},
    {"Solarize", threshold, do_solarize},
    {"SolarizeIncreasing", [](double level, bool) { return 256 - threshold(level, false); },
     do_solarize},
    {"SolarizeAdd",
     [](double level, bool) { return std::min(128.0, double(static_cast<int>(level / 10 * 110))); },
     [](Image& image, double add, Warp, Rng) { solarize_add(image, static_cast<int>(add)); }},
    {"Color", enhance, do_color},
    {"ColorIncreasing", enhance_increasing, do_color},
    {"Contrast", enhance, do_contrast},
    {"ContrastIncreasing", enhance_increasing, do_contrast},
    {"Brightness", enhance, do_brightness},
    {"BrightnessIncreasing", enhance_increasing, do_brightness},
    {"Sharpness", enhance, do_sharpness},
    {"SharpnessIncreasing", enhance_increasing, do_sharpness},
    {"ShearX", shear,
     [](Image& image, double by, Warp warp, Rng) {
       affine(image, {1, by, 0, 0, 1, 0}, warp);
     }},
    {"ShearY", shear,
     [](Image& image, double by, Warp warp, Rng) {
       affine(image, {1, 0, 0, by, 1, 0}, warp);
     }},
    {"TranslateXRel", share, move_x},
    {"TranslateYRel", share, move_y},
    {"TranslateXRel30", share30, move_x},
    {"TranslateYRel30", share30, move_y},
    {"Desaturate", [](double level, bool) { return between(level, 0.5, 1); },
     [](Image& image, double grey, Warp, Rng) {
       adjust_color(image, std::clamp(1 - grey, 0.0, 1.0));
     }},
    {"GaussianBlur", [](double level, bool) { return between(level, 0.1, 2); },
     [](Image& image, double sigma, Warp, Rng) { gaussian_blur(image, sigma); }},
    {"GaussianBlurRand", [](double level, bool) { return between(level, 0, 1); },
     [](Image& image, double share, Warp, Rng rng) {
       gaussian_blur(image, rng.uniform(0.1, 2 * share));
     }},
};

}  // namespace

const AugmentOp& augment_op(std::string_view name) {
  for (const auto& op : kOps) {
    if (op.name == name) return op;
  }
  throw Error(str("unknown augmentation '", name, "'"));
}

}  // namespace wf
