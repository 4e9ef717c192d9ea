#include "export/onnx_graph.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(OnnxGraph, MoreThanTheFormatHoldsIsRefusedBeforeAnythingIsWritten) {
  TempDir directory;
  onnx::Graph graph;
  graph.tensor("large", at::zeros({1}).expand({600'000'000}));  // occupies 4 bytes here
  const auto message = error_of([&] { graph.write(directory / "m.onnx"); });
  EXPECT_EQ(message, (directory / "m.onnx") +
                         ": the weights have 2288 MiB, and an ONNX file holds less than 2048: "
                         "export in float16, or a smaller model");
  EXPECT_FALSE(std::filesystem::exists(directory / "m.onnx"));
}

TEST(OnnxGraph, TensorsOfTheSameNameAreStoredOnce) {
  TempDir directory;
  const auto size = [&](int times) {
    onnx::Graph graph;
    for (int i = 0; i < times; ++i) graph.tensor("w", at::zeros({1000}));
    graph.write(directory / "m.onnx");
    return std::filesystem::file_size(directory / "m.onnx");
  };
  EXPECT_GT(size(1), 4000u);
  EXPECT_EQ(size(1), size(3));
}

}  // namespace
}  // namespace wf::testing
