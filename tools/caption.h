// Text drawn with OpenCV.
#pragma once

#include <opencv2/imgproc.hpp>

#include <string>

namespace wf {

const cv::Scalar kWhite(255, 255, 255), kInk(60, 50, 45);

inline void draw_text(cv::Mat& canvas, const std::string& text, cv::Point at, double size,
                      const cv::Scalar& color = kInk) {
  cv::putText(canvas, text, at, cv::FONT_HERSHEY_SIMPLEX, size, color, 1, cv::LINE_AA);
}

inline int text_width(const std::string& text, double size) {
  int baseline = 0;
  return cv::getTextSize(text, cv::FONT_HERSHEY_SIMPLEX, size, 1, &baseline).width;
}

}  // namespace wf
