#include "canvas.h"

#include "weightformer/core/check.h"

#include "caption.h"
#include "core/atomic_file.h"
#include "engine/image_file.h"
#include "engine/report/svg_chart.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <filesystem>

namespace wf {
namespace {

class SvgCanvas : public Canvas {
 public:
  SvgCanvas(std::string path, double width, double height) : path_(std::move(path)) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" font-family=\"system-ui,sans-serif\" font-size=\"12\" fill=\"#1f2933\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        width, height);
  }
  void text(const std::string& text, double x, double y, Align align) override {
    const char* anchor = align == Align::left ? "start" : align == Align::middle ? "middle" : "end";
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                        anchor, escape_xml(text));
  }
  void image(const at::Tensor& image, double x, double y, double width, double height) override {
    out_ += fmt::format(
        "<image x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{}\"/>\n",
        x, y, width, height, image_url(image, ImageFormat::png, path_));
  }
  void save() override { write_text_file(path_, out_ + "</svg>\n"); }

 private:
  std::string path_, out_;
};

class PngCanvas : public Canvas {
 public:
  PngCanvas(std::string path, double width, double height)
      : path_(std::move(path)),
        pixels_(static_cast<int>(height), static_cast<int>(width), CV_8UC3, kWhite) {}
  void text(const std::string& text, double x, double y, Align align) override {
    constexpr double kSize = 0.4;
    const double part = align == Align::left ? 0 : align == Align::middle ? 0.5 : 1;
    const auto left = static_cast<int>(x - part * text_width(text, kSize));
    draw_text(pixels_, text, {left, static_cast<int>(y)}, kSize);
  }
  void image(const at::Tensor& image, double x, double y, double width, double height) override {
    const auto bytes = image.flip(0).permute({1, 2, 0}).contiguous();
    const cv::Mat mat(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC3,
                      bytes.data_ptr<uint8_t>());
    const cv::Rect place(static_cast<int>(x), static_cast<int>(y), static_cast<int>(width),
                         static_cast<int>(height));
    cv::Mat scaled;
    cv::resize(mat, scaled, place.size(), 0, 0, cv::INTER_NEAREST);
    scaled.copyTo(pixels_(place));
  }
  void save() override {
    const auto pixels =
        torch::from_blob(pixels_.data, {pixels_.rows, pixels_.cols, 3}, torch::kByte);
    write_png(path_, pixels.permute({2, 0, 1}).flip(0));
  }

 private:
  std::string path_;
  cv::Mat pixels_;
};

}  // namespace

std::unique_ptr<Canvas> make_canvas(const std::string& path, double width, double height) {
  const auto kind = std::filesystem::path(path).extension();
  if (kind == ".svg") return std::make_unique<SvgCanvas>(path, width, height);
  WF_CHECK(kind == ".png", path, ": the name of a drawing must end in .svg or .png");
  return std::make_unique<PngCanvas>(path, width, height);
}

}  // namespace wf
