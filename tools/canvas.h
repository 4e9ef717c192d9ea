// Drawings of texts and images, as SVG or PNG files.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace wf {

enum class Align { left, middle, right };

/// What a drawing is made of; coordinates in pixels from the top left corner.
class Canvas {
 public:
  virtual ~Canvas() = default;
  /// `y` is the base line.
  virtual void text(const std::string& text, double x, double y, Align align) = 0;
  /// image: [3, H, W] uint8, drawn as width x height without interpolation.
  virtual void image(const at::Tensor& image, double x, double y, double width, double height) = 0;
  /// Writes the file, atomically. Throws wf::Error.
  virtual void save() = 0;
};

/// The kind is that of the name, .svg or .png; throws wf::Error for others.
std::unique_ptr<Canvas> make_canvas(const std::string& path, double width, double height);

}  // namespace wf
