// Shared by the parts of wf_report.
#pragma once

#include <opencv2/core.hpp>

#include <string>

namespace wf {

/// Writes `image` and prints its path. Throws wf::Error when it cannot be written.
void save(const cv::Mat& image, const std::string& path);

/// Draws the images of `predictions`, lines of wf_infer --json, with their predictions into `path`,
/// and prints how many labeled ones are correct. A sheet holds the first 200 images; the counts are
/// of all.
void draw_contact_sheet(const std::string& predictions, const std::string& path);

}  // namespace wf
