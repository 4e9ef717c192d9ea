// The tables of timm's policies: facts from Cubuk et al. 2018, TPU EfficientNet, and timm 1.0.
#pragma once

#include <string_view>
#include <vector>

namespace wf::policies {

struct Choice {
  std::string_view name;
  double weight;  // w0 of old timm
};

/// The operations of `rand`; with inc1, those of kIncreasing have their increasing form.
inline constexpr Choice kRand[] = {
    {"AutoContrast", 0.025}, {"Equalize", 0.005},    {"Invert", 0},          {"Rotate", 0.3},
    {"Posterize", 0},        {"Solarize", 0.005},    {"SolarizeAdd", 0.005}, {"Color", 0.025},
    {"Contrast", 0.005},     {"Brightness", 0.005},  {"Sharpness", 0.025},   {"ShearX", 0.2},
    {"ShearY", 0.2},         {"TranslateXRel", 0.1}, {"TranslateYRel", 0.1}};
inline constexpr std::string_view kIncreasing[] = {"Posterize", "Solarize",   "Color",
                                                   "Contrast",  "Brightness", "Sharpness"};

inline constexpr Choice kWeights[] = {{"Rotate", 3},
                                      {"ShearX", 2},
                                      {"ShearY", 2},
                                      {"TranslateXRel", 1},
                                      {"TranslateYRel", 1},
                                      {"ColorIncreasing", 0.25},
                                      {"SharpnessIncreasing", 0.25},
                                      {"AutoContrast", 0.25},
                                      {"SolarizeIncreasing", 0.05},
                                      {"SolarizeAdd", 0.05},
                                      {"ContrastIncreasing", 0.05},
                                      {"BrightnessIncreasing", 0.05},
                                      {"Equalize", 0.05},
                                      {"PosterizeIncreasing", 0.05},
                                      {"Invert", 0.05}};

inline constexpr Choice k3a[] = {{"SolarizeIncreasing", 1}, {"Desaturate", 1}, {"GaussianBlur", 1}};

inline constexpr Choice k3aWeighted[] = {{"SolarizeIncreasing", 6},
                                         {"Desaturate", 6},
                                         {"GaussianBlur", 6},
                                         {"Rotate", 3},
                                         {"ShearX", 2},
                                         {"ShearY", 2},
                                         {"PosterizeIncreasing", 1},
                                         {"AutoContrast", 1},
                                         {"ColorIncreasing", 1},
                                         {"SharpnessIncreasing", 1},
                                         {"ContrastIncreasing", 1},
                                         {"BrightnessIncreasing", 1},
                                         {"Equalize", 1},
                                         {"Invert", 1}};

/// AugMix's; translations are at most 0.3 of the side.
inline constexpr std::string_view kMix[] = {"AutoContrast",
                                            "ColorIncreasing",
                                            "ContrastIncreasing",
                                            "BrightnessIncreasing",
                                            "SharpnessIncreasing",
                                            "Equalize",
                                            "Rotate",
                                            "PosterizeIncreasing",
                                            "SolarizeIncreasing",
                                            "ShearX",
                                            "ShearY",
                                            "TranslateXRel30",
                                            "TranslateYRel30"};

struct Pair {
  std::string_view first;
  double first_probability, first_level;
  std::string_view second;
  double second_probability, second_level;
};

// "Posterize" stands for the variant selected by the name of the policy.
inline constexpr Pair kOriginal[] = {
    {"Posterize", 0.4, 8, "Rotate", 0.6, 9},  {"Solarize", 0.6, 5, "AutoContrast", 0.6, 5},
    {"Equalize", 0.8, 8, "Equalize", 0.6, 3}, {"Posterize", 0.6, 7, "Posterize", 0.6, 6},
    {"Equalize", 0.4, 7, "Solarize", 0.2, 4}, {"Equalize", 0.4, 4, "Rotate", 0.8, 8},
    {"Solarize", 0.6, 3, "Equalize", 0.6, 7}, {"Posterize", 0.8, 5, "Equalize", 1.0, 2},
    {"Rotate", 0.2, 3, "Solarize", 0.6, 8},   {"Equalize", 0.6, 8, "Posterize", 0.4, 6},
    {"Rotate", 0.8, 8, "Color", 0.4, 0},      {"Rotate", 0.4, 9, "Equalize", 0.6, 2},
    {"Equalize", 0.0, 7, "Equalize", 0.8, 8}, {"Invert", 0.6, 4, "Equalize", 1.0, 8},
    {"Color", 0.6, 4, "Contrast", 1.0, 8},    {"Rotate", 0.8, 8, "Color", 1.0, 2},
    {"Color", 0.8, 8, "Solarize", 0.8, 7},    {"Sharpness", 0.4, 7, "Invert", 0.6, 8},
    {"ShearX", 0.6, 5, "Equalize", 1.0, 9},   {"Color", 0.4, 0, "Equalize", 0.6, 3},
    {"Equalize", 0.4, 7, "Solarize", 0.2, 4}, {"Solarize", 0.6, 5, "AutoContrast", 0.6, 5},
    {"Invert", 0.6, 4, "Equalize", 1.0, 8},   {"Color", 0.6, 4, "Contrast", 1.0, 8},
    {"Equalize", 0.8, 8, "Equalize", 0.6, 3}};

inline constexpr Pair kV0[] = {{"Equalize", 0.8, 1, "ShearY", 0.8, 4},
                               {"Color", 0.4, 9, "Equalize", 0.6, 3},
                               {"Color", 0.4, 1, "Rotate", 0.6, 8},
                               {"Solarize", 0.8, 3, "Equalize", 0.4, 7},
                               {"Solarize", 0.4, 2, "Solarize", 0.6, 2},
                               {"Color", 0.2, 0, "Equalize", 0.8, 8},
                               {"Equalize", 0.4, 8, "SolarizeAdd", 0.8, 3},
                               {"ShearX", 0.2, 9, "Rotate", 0.6, 8},
                               {"Color", 0.6, 1, "Equalize", 1.0, 2},
                               {"Invert", 0.4, 9, "Rotate", 0.6, 0},
                               {"Equalize", 1.0, 9, "ShearY", 0.6, 3},
                               {"Color", 0.4, 7, "Equalize", 0.6, 0},
                               {"Posterize", 0.4, 6, "AutoContrast", 0.4, 7},
                               {"Solarize", 0.6, 8, "Color", 0.6, 9},
                               {"Solarize", 0.2, 4, "Rotate", 0.8, 9},
                               {"Rotate", 1.0, 7, "TranslateYRel", 0.8, 9},
                               {"ShearX", 0.0, 0, "Solarize", 0.8, 4},
                               {"ShearY", 0.8, 0, "Color", 0.6, 4},
                               {"Color", 1.0, 0, "Rotate", 0.6, 2},
                               {"Equalize", 0.8, 4, "Equalize", 0.0, 8},
                               {"Equalize", 1.0, 4, "AutoContrast", 0.6, 2},
                               {"ShearY", 0.4, 7, "SolarizeAdd", 0.6, 7},
                               {"Posterize", 0.8, 2, "Solarize", 0.6, 10},
                               {"Solarize", 0.6, 8, "Equalize", 0.6, 1},
                               {"Color", 0.8, 6, "Rotate", 0.4, 5}};

}  // namespace wf::policies
