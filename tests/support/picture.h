// Comparison of images with golden images.
#pragma once

#include "data/image/image.h"

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <cstdlib>
#include <fstream>
#include <string>

namespace wf::testing {

/// An 8-bit PNG, read by OpenCV only.
inline Image read_picture(const std::string& path) {
  const cv::Mat bgr = cv::imread(path, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  EXPECT_FALSE(bgr.empty()) << path;
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return {rgb.rows, rgb.cols, {rgb.datastart, rgb.dataend}};
}

inline void expect_pixels(const Image& actual, const Image& expected, int most, double mean,
                          const std::string& what) {
  ASSERT_EQ(actual.height, expected.height) << what;
  ASSERT_EQ(actual.width, expected.width) << what;
  ASSERT_EQ(actual.pixels.size(), expected.pixels.size()) << what;
  int worst = 0;
  double sum = 0;
  for (size_t i = 0; i < actual.pixels.size(); ++i) {
    const int difference = std::abs(actual.pixels[i] - expected.pixels[i]);
    worst = std::max(worst, difference);
    sum += difference;
  }
  EXPECT_LE(worst, most) << what;
  EXPECT_LE(sum / static_cast<double>(actual.pixels.size()), mean) << what;
}

}  // namespace wf::testing
