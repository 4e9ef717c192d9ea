// Pages in a headless browser.
#pragma once

#include "support/process.h"

#include <opencv2/core.hpp>

#include <string>
#include <vector>

namespace wf::testing {

/// The name of an installed one; "" without.
inline std::string browser() {
  for (const char* name : {"chromium-headless-shell", "chromium", "google-chrome"}) {
    if (run({"bash", "-c", std::string("command -v ") + name}).code == 0) return name;
  }
  return "";
}

/// Opens a file; `how` are flags such as --dump-dom. `profile` is a directory that the browser may
/// write to.
inline Finished open_page(const std::string& page, const std::string& profile,
                          const std::vector<std::string>& how) {
  std::vector<std::string> words{browser(),           "--headless",
                                 "--no-sandbox",      "--disable-gpu",
                                 "--hide-scrollbars", "--user-data-dir=" + profile};
  words.insert(words.end(), how.begin(), how.end());
  words.push_back("file://" + page);
  return run(words);
}

/// Pixels of `image` within a few levels of a color.
inline int pixels_of(const cv::Mat& image, const cv::Scalar& bgr) {
  cv::Mat mask;
  cv::inRange(image, bgr - cv::Scalar::all(6), bgr + cv::Scalar::all(6), mask);
  return cv::countNonZero(mask);
}

}  // namespace wf::testing
