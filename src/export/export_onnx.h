// Models as ONNX graphs, which run without LibTorch.
#pragma once

#include "weightformer/models/model.h"

#include "data/transforms.h"
#include "export/onnx_graph.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace wf {

struct ExportOptions {
  bool float16 = false;  ///< weights and arithmetic; inputs and outputs stay float32
  /// Fixed sizes for runtimes that need them; otherwise any batch, height and width will do.
  std::optional<int64_t> batch;
  std::optional<std::vector<int64_t>> size;  ///< height and width of the input
  /// Order of the dynamic linear layers, one of dynamic_linear_modes() but "reference"; auto: the
  /// one with fewer multiplications at `size` or the size in training.
  std::string dynamic_linear = "auto";
  /// Of classifiers: the input is uint8 [B, H, W, 3], RGB, and is normalized in the graph.
  bool preprocess = false;
  /// With `preprocess`: images of any size are also resized and cropped as in evaluation.
  bool resize = false;
  TransformOptions transform;                        ///< of evaluation
  std::map<std::string, std::string> metadata = {};  ///< more entries, see weights_metadata()
};

/// The graph of `model` in evaluation mode.
/// Classifiers: x [B, 3, H, W] → logits [B, classes]; its metadata holds how images are prepared.
/// DiT: x [B, C, H, W], t [B] (float32 steps), y [B] (int64 labels) → out. Throws wf::Error for a
/// model without an export and for options that do not fit it.
onnx::Graph export_onnx(const Model& model, const ExportOptions& options);

}  // namespace wf
