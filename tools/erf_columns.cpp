#include "weightformer/nn/mixers.h"

#include "erf.h"

namespace wf {

PredictorPairs figure3_columns() {
  PredictorPairs out;
  for (const auto& linear : linear_predictors()) out.push_back({linear, "static"});
  for (const auto& conv : conv_predictors()) {
    if (conv != "static") out.push_back({"static", conv});
  }
  out.push_back({"bilateral", "adaptive"});
  return out;
}

}  // namespace wf
