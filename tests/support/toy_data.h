// Small images that a model can learn: a bright bar, upright in class 0, level in class 1.
#pragma once

#include "weightformer/core/random.h"

#include "data/dataset.h"
#include "data/image/decode.h"
#include "support/temp_dir.h"

#include <opencv2/imgcodecs.hpp>

#include <memory>
#include <set>
#include <string>

namespace wf::testing {

inline Image toy_picture(int64_t index, int side) {
  CounterRng rng{17, static_cast<uint64_t>(index)};
  Image image;
  image.width = image.height = side;
  image.pixels.resize(static_cast<size_t>(side) * side * 3);
  const int at = static_cast<int>(rng.below(side));
  for (int row = 0; row < side; ++row) {
    for (int column = 0; column < side; ++column) {
      const bool lit = (index % 2 == 0 ? column : row) == at;
      for (int channel = 0; channel < 3; ++channel) {
        image.pixels[(static_cast<size_t>(row) * side + column) * 3 + channel] =
            static_cast<uint8_t>((lit ? 200 : 20) + rng.below(30));
      }
    }
  }
  return image;
}

/// `count` images in memory, with the label index % 2; those in `unreadable` cannot be decoded.
class ToyDataset : public Dataset {
 public:
  ToyDataset(int64_t count, int side, std::set<int64_t> unreadable = {})
      : count_(count), side_(side), unreadable_(std::move(unreadable)) {
    classes_ = {"upright", "level"};
  }
  int64_t size() const override { return count_; }
  int64_t label(int64_t i) const override { return i % 2; }
  std::string name(int64_t i) const override { return "toy " + std::to_string(i); }
  Encoded read(int64_t i) const override {
    if (unreadable_.count(i)) throw UnreadableImage(name(i) + ": damaged on purpose");
    return as_ppm(toy_picture(i, side_));
  }

 private:
  int64_t count_;
  int side_;
  std::set<int64_t> unreadable_;
};

/// The same as an image directory: root/train/{upright,level}/N.png and root/val/… .
inline void write_toy_folder(const std::string& root, int64_t train, int64_t val, int side) {
  for (int64_t i = 0; i < train + val; ++i) {
    const auto image = toy_picture(i, side);
    const cv::Mat pixels(side, side, CV_8UC3, const_cast<uint8_t*>(image.pixels.data()));
    const std::string folder =
        root + (i < train ? "/train/" : "/val/") + (i % 2 == 0 ? "upright" : "level");
    std::filesystem::create_directories(folder);
    cv::imwrite(folder + "/" + std::to_string(i) + ".png", pixels);
  }
}

}  // namespace wf::testing
