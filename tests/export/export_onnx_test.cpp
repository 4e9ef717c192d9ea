#include "export/export_onnx.h"

#include "weightformer/models/dit.h"

#include "support/errors.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(ExportOnnx, OtherPredictorsAreRefusedInOneLine) {
  EXPECT_GT(export_onnx(*create_classifier("wfm_nano"), {}).node_count(), 100u);
  EXPECT_EQ(error_of([] {
              export_onnx(*make_classifier(classifier_options("wfm_nano").conv_predictor("gap")),
                          {});
            }),
            "ONNX export: there is none for MODEL.LINEAR_PREDICTOR bilateral with "
            "MODEL.CONV_PREDICTOR gap, only for bilateral with adaptive");
  EXPECT_TRUE(has(
      error_of([] { export_onnx(DiTImpl(dit_options("dit_nano").linear_predictor("deep")), {}); }),
      "ONNX export: there is none for MODEL.LINEAR_PREDICTOR deep with"));
}

}  // namespace
}  // namespace wf::testing
