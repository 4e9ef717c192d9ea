// Synthetic images with the features of photographs: smooth areas, edges and fine grain.
#pragma once

#include "weightformer/core/random.h"

#include "data/dataset.h"
#include "data/image/image.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace wf::testing {

inline Image made_photo(int height, int width, uint64_t seed) {
  cv::Mat sum(height, width, CV_32FC3, cv::Scalar(128, 120, 110));
  CounterRng rng{seed};
  // Noise at halving scales with decreasing strength, as in the spectrum of photographs.
  for (int cell = 64; cell >= 1; cell /= 2) {
    cv::Mat noise(height / cell + 2, width / cell + 2, CV_32FC3);
    for (auto it = noise.begin<cv::Vec3f>(); it != noise.end<cv::Vec3f>(); ++it) {
      const double grey = rng.normal();  // colors vary less than brightness
      for (int c = 0; c < 3; ++c) (*it)[c] = static_cast<float>(grey + 0.3 * rng.normal());
    }
    cv::resize(noise, noise, {width, height}, 0, 0, cv::INTER_LINEAR);
    sum += noise * (6.0 * std::sqrt(cell / 2.0));
  }
  for (int i = 0; i < 6; ++i) {
    const cv::Point at(static_cast<int>(rng.below(width)), static_cast<int>(rng.below(height)));
    const double level = rng.uniform(20, 235);
    cv::circle(sum, at, 1 + static_cast<int>(rng.below(height / 4 + 1)),
               cv::Scalar(level, level, level), cv::FILLED, cv::LINE_AA);
  }
  cv::Mat bytes;
  sum.convertTo(bytes, CV_8UC3);
  return {height, width, {bytes.datastart, bytes.dataend}};
}

inline std::vector<int> progressive() { return {cv::IMWRITE_JPEG_PROGRESSIVE, 1}; }
inline std::vector<int> with_restarts(int every) { return {cv::IMWRITE_JPEG_RST_INTERVAL, every}; }

/// A JPEG of quality 90 with chroma at half the size.
inline Encoded as_jpeg(const Image& image, std::vector<int> form = {}) {
  const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  form.insert(form.end(), {cv::IMWRITE_JPEG_QUALITY, 90});
  const auto bytes = std::make_shared<std::vector<uint8_t>>();
  cv::imencode(".jpg", bgr, *bytes, form);
  return {{reinterpret_cast<const char*>(bytes->data()), bytes->size()}, bytes};
}

}  // namespace wf::testing
