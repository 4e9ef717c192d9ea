// What the parts of wf_erf share.
#pragma once

#include "weightformer/config/config.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wf {

struct ErfArguments {
  std::vector<std::string> weights, images, opts;
  std::string cfg, input, output, json, maps;
  std::string device = "auto";
  int64_t count = 50, seed = 0, batch = 10;
  bool figure3 = false, ema = false;
};

/// One receptive field: of a network with random weights, or with those of `file`.
struct FieldMap {
  std::string file;
  at::Tensor map;  ///< [H, W], see effective_field()
};

/// A column of the sheet.
struct FieldColumn {
  std::string title, linear, conv;  ///< the last two: the predictors
  FieldMap before;
  std::optional<FieldMap> after;
};

struct FieldSheet {
  std::vector<FieldColumn> columns;
  int64_t images = 0;
};

/// The parts of the sum that areas are given for, as in RepLKNet's tables.
constexpr double kFieldParts[] = {0.2, 0.3, 0.5, 0.99};

/// What --images, --input or neither gives: [B, 3, H, W], normalized, B at most --count. Throws
/// wf::Error.
at::Tensor erf_images(const ErfArguments& arguments, const Config& config);

using PredictorPairs = std::vector<std::pair<std::string, std::string>>;

/// The columns of Figure 3: the static network, those with one predicted layer, and the published
/// one; linear and convolution predictor of each.
PredictorPairs figure3_columns();

/// Computes all maps. Throws wf::Error in one line.
FieldSheet compute_fields(const ErfArguments& arguments);

/// A drawing of the maps with their areas, .svg or .png.
void draw_sheet(const FieldSheet& sheet, const std::string& path);

/// The numbers of the sheet without the maps.
std::string fields_as_json(const FieldSheet& sheet);

/// The maps as tensors before.N and after.N, N a column from 0.
void write_maps(const FieldSheet& sheet, const std::string& path);

/// "12.3 %"
std::string show_area(const FieldMap& map, double part);

}  // namespace wf
