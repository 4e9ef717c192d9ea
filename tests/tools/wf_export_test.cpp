// wf_export, and its files in ONNX Runtime.

#include "weightformer/models/dit.h"
#include "weightformer/models/weightformer.h"
#include "weightformer/serialization/weights.h"

#include "data/image/decode.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/types.h>
#include <torch/utils.h>

#include <sstream>

namespace wf::testing {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

// What run_onnx.py prints, and the outputs for each input.
struct Ran {
  Json about;
  std::vector<TensorMap> outputs;
};

class WfExport : public ::testing::Test {
 protected:
  void SetUp() override {
    const Words modules{WF_PYTHON, "-c", "import onnx, onnxruntime, safetensors"};
    if (run(modules).code != 0) GTEST_SKIP() << "no onnx or onnxruntime";
    model_->eval();
    fill_parameters(*model_);
    write_safetensors(weights_, {state_dict(*model_), {}});
  }

  Finished exported(const std::string& weights, Words flags) const {
    flags.insert(flags.begin(), {program("wf_export"), weights, onnx_});
    return run(flags);
  }

  // Exports and runs `weights`; fails the test when that does not work.
  Ran ran(const std::string& weights, const Words& flags, const std::vector<TensorMap>& inputs) {
    const auto end = exported(weights, flags);
    EXPECT_EQ(end.code, 0) << end.err;
    Words command{WF_PYTHON, WF_SOURCE_DIR "/tests/export/run_onnx.py", onnx_};
    for (size_t i = 0; i < inputs.size(); ++i) {
      write_safetensors(input(i), {inputs[i], {}});
      command.push_back(input(i));
    }
    const auto python = run(command);
    EXPECT_EQ(python.code, 0) << python.err;
    Ran out;
    if (python.code != 0) return out;
    out.about = Json::parse(python.out);
    for (size_t i = 0; i < inputs.size(); ++i) {
      auto path = input(i);
      path.replace(path.size() - std::string(".safetensors").size(), std::string::npos,
                   ".out.safetensors");
      out.outputs.push_back(read_safetensors(path).tensors);
    }
    return out;
  }

  std::string input(size_t i) const { return folder_ / ("x" + std::to_string(i) + ".safetensors"); }

  // The answers of wf_infer to the inputs that ran() wrote.
  at::Tensor inferred(size_t i, const std::string& name) const {
    const auto out = folder_ / "y.safetensors";
    const auto end = run({program("wf_infer"), weights_, "--model", "wfm_nano", "--input", input(i),
                          "--output", out});
    EXPECT_EQ(end.code, 0) << end.err;
    return read_safetensors(out).tensors.at(name).clone();
  }

  static TensorMap image(at::IntArrayRef shape) { return {{"x", filled("input.x", shape)}}; }

  TempDir folder_;
  std::string weights_ = folder_ / "w.safetensors", onnx_ = folder_ / "m.onnx";
  std::shared_ptr<Classifier> model_ = create_classifier("wfm_nano");
};

// Grids of one row or one token, of odd sides, and pixels that no patch covers.
const std::vector<std::vector<int64_t>> kImages{{1, 3, 64, 64},  {2, 3, 64, 64}, {7, 3, 72, 40},
                                                {1, 3, 8, 8},    {3, 3, 8, 80},  {2, 3, 24, 136},
                                                {1, 3, 200, 56}, {2, 3, 67, 45}};

TEST_F(WfExport, AClassifierOfAnyBatchHeightAndWidthEqualsWfInfer) {
  std::vector<TensorMap> inputs;
  for (const auto& shape : kImages) inputs.push_back(image(shape));
  const auto factored = ran(weights_, {"--dynamic-linear", "factored"}, inputs);
  const auto merged = ran(weights_, {"--dynamic-linear", "merged"}, inputs);
  ASSERT_EQ(factored.outputs.size(), kImages.size());
  ASSERT_EQ(merged.outputs.size(), kImages.size());
  EXPECT_EQ(factored.about["opset"], 20);
  EXPECT_EQ(factored.about["inputs"]["x"][1], (Json{"batch", 3, "height", "width"}));
  EXPECT_EQ(factored.about["outputs"]["logits"][1], (Json{"batch", 10}));
  for (size_t i = 0; i < kImages.size(); ++i) {
    const auto expected = inferred(i, "logits");
    const auto what = str("image ", i);
    expect_close(factored.outputs[i].at("logits"), expected, kLogitTolerance, what + ", factored");
    expect_close(merged.outputs[i].at("logits"), expected, kLogitTolerance, what + ", merged");
  }
}

TEST_F(WfExport, AnyNumberOfClassesAndDepth) {
  auto network = std::make_shared<WeightFormerImpl>(
      classifier_options("wfm_nano").num_classes(3).depth(2).dim(48).patch_size(4));
  fill_parameters(*network);
  network->eval();
  write_safetensors(weights_, {state_dict(*network), {{"config", R"({"MODEL.NAME":"wfm_nano",
      "MODEL.DIM":"48","MODEL.DEPTH":"2","MODEL.PATCH_SIZE":"4"})"}}});
  const auto all = ran(weights_, {}, {image({2, 3, 20, 28})});
  ASSERT_EQ(all.outputs.size(), 1u);
  expect_close(all.outputs[0].at("logits"), network->forward(image({2, 3, 20, 28}).at("x")),
               kLogitTolerance, "logits");
}

TEST_F(WfExport, ADenoiserOfLatentsOfAnySizeEqualsTheModule) {
  const std::vector<std::vector<int64_t>> shapes{{1, 8, 8},   {2, 8, 8},  {3, 12, 6}, {1, 2, 2},
                                                 {2, 14, 10}, {5, 2, 20}, {1, 30, 4}, {2, 64, 64}};
  for (const bool learn_sigma : {true, false}) {
    auto options = dit_options("dit_nano").learn_sigma(learn_sigma).patch_size(2);
    auto dit = std::make_shared<DiTImpl>(options);
    fill_parameters(*dit);
    dit->eval();
    write_safetensors(weights_, {state_dict(*dit), {}});
    std::vector<TensorMap> inputs;
    for (const auto& shape : shapes) {
      const int64_t b = shape[0];
      inputs.push_back({{"x", filled("input.x", {b, 4, shape[1], shape[2]})},
                        {"t", torch::linspace(0, 999.5, b + 1).slice(0, 1)},
                        {"y", torch::arange(b) * 5 % 11}});
    }
    for (const char* order : {"factored", "merged"}) {
      const auto all = ran(weights_, {"--model", "dit_nano", "--dynamic-linear", order}, inputs);
      ASSERT_EQ(all.outputs.size(), shapes.size());
      const torch::InferenceMode inference;
      for (size_t i = 0; i < shapes.size(); ++i) {
        const auto& in = inputs[i];
        expect_close(all.outputs[i].at("out"), dit->forward(in.at("x"), in.at("t"), in.at("y")),
                     kLogitTolerance, str(order, ", latents ", i));
      }
    }
  }
}

TEST_F(WfExport, InFloat16TheFileIsHalfAndTheOutputsAreClose) {
  ASSERT_EQ(exported(weights_, {}).code, 0);
  const auto full = std::filesystem::file_size(onnx_);
  for (const char* order : {"factored", "merged"}) {
    const auto half = ran(weights_, {"--float16", "--dynamic-linear", order},
                          {image({2, 3, 64, 64}), image({1, 3, 40, 72})});
    ASSERT_EQ(half.outputs.size(), 2u);
    EXPECT_LT(std::filesystem::file_size(onnx_), 0.7 * full);
    EXPECT_EQ(half.about["outputs"]["logits"][0], "tensor(float)");
    for (size_t i = 0; i < 2; ++i) {
      expect_close(half.outputs[i].at("logits"), inferred(i, "logits"), 2e-3, order);
    }
  }
}

TEST_F(WfExport, SizesCanBeFixed) {
  const auto fixed = ran(weights_, {"--size", "40", "72", "--batch", "2"}, {image({2, 3, 40, 72})});
  ASSERT_EQ(fixed.outputs.size(), 1u);
  EXPECT_EQ(fixed.about["inputs"]["x"][1], (Json{2, 3, 40, 72}));
  EXPECT_TRUE(fixed.about["multiplications"].is_number()) << "a shape could not be inferred";
  expect_close(fixed.outputs[0].at("logits"), inferred(0, "logits"), kLogitTolerance, "logits");
}

// Of WeightFormer-S; one dynamic layer of it is enough.
TEST_F(WfExport, TheFactoredOrderHasFewerMultiplicationsAtTheSizeInTraining) {
  const auto small = make_classifier(classifier_options("wfm_small").depth(2));
  write_safetensors(weights_, {state_dict(*small),
                               {{"config", R"({"MODEL.NAME":"wfm_small","MODEL.DEPTH":"2"})"}}});
  const auto count = [&](const char* order) {
    const auto all =
        ran(weights_, {"--size", "224", "224", "--batch", "1", "--dynamic-linear", order}, {});
    return all.about.value("multiplications", 0.0);
  };
  const auto automatic = count("auto");
  EXPECT_GT(automatic, 4e8);
  EXPECT_EQ(automatic, count("factored"));
  EXPECT_LT(automatic, count("merged"));
}

TEST_F(WfExport, PreprocessingIsThatOfWfInfer) {
  const auto photo = read_image(golden_path("images/photo.bmp"));
  const auto bytes = torch::tensor(at::ArrayRef<uint8_t>(photo.pixels))
                         .view({1, photo.height, photo.width, 3})
                         .repeat({2, 1, 1, 1});
  const auto mean = torch::tensor({0.485, 0.456, 0.406}),
             std = torch::tensor({0.229, 0.224, 0.225});
  const auto x = ((bytes / 255.0 - mean) / std).permute({0, 3, 1, 2}).contiguous();
  const torch::InferenceMode inference;
  const auto all = ran(weights_, {"--preprocess"}, {{{"images", bytes}}});
  ASSERT_EQ(all.outputs.size(), 1u);
  EXPECT_EQ(all.about["inputs"]["images"],
            Json::array({"tensor(uint8)", Json{"batch", "height", "width", 3}}));
  expect_close(all.outputs[0].at("logits"), model_->forward(x), kLogitTolerance, "normalized");

  // Pixels differ by at most one from those of wf_infer.
  for (const char* how : {"bicubic", "bilinear"}) {
    const Words opts{"--opts", "DATA.INTERPOLATION", how, "DATA.IMG_SIZE", "64"};
    Words flags{"--preprocess", "--resize"}, infer{program("wf_infer"),
                                                   weights_,
                                                   "--json",
                                                   "--top",
                                                   "10",
                                                   "--images",
                                                   golden_path("images/photo.bmp")};
    flags.insert(flags.end(), opts.begin(), opts.end());
    infer.insert(infer.end(), opts.begin(), opts.end());
    const auto resized = ran(weights_, flags, {{{"images", bytes}}});
    ASSERT_EQ(resized.outputs.size(), 1u);
    const auto probabilities = resized.outputs[0].at("logits").softmax(1)[0];
    const auto end = run(infer);
    ASSERT_EQ(end.code, 0) << end.err;
    for (const auto& top : Json::parse(end.out)["top"]) {
      EXPECT_NEAR(probabilities[top["index"].get<int64_t>()].item<double>(),
                  top["probability"].get<double>(), 2e-3)
          << how;
    }
  }
}

TEST_F(WfExport, TheMetadataTellHowToUseTheFile) {
  const std::string classes = R"(["a","b","c","d","e","f","g","h","i","jürgen"])";
  const std::string config =
      R"({"DATA.IMG_SIZE":"64","DATA.INTERPOLATION":"bilinear","MODEL.NAME":"wfm_nano"})";
  write_safetensors(weights_, {state_dict(*model_), {{"classes", classes}, {"config", config}}});
  const auto metadata = ran(weights_, {}, {}).about["metadata"];
  EXPECT_EQ(metadata["model"], "wfm_nano");
  EXPECT_EQ(metadata["classes"], classes);
  EXPECT_EQ(metadata["config"], config);
  EXPECT_EQ(metadata["image_size"], "64");
  EXPECT_EQ(metadata["resized_size"], "73");
  EXPECT_EQ(metadata["interpolation"], "bilinear");
  EXPECT_EQ(metadata["mean"], "[0.485,0.456,0.406]");
  EXPECT_EQ(metadata["std"], "[0.229,0.224,0.225]");
}

TEST_F(WfExport, BadInputIsOneClearLine) {
  const auto refused = [&](const Words& flags, const std::string& expected) {
    const auto end = exported(weights_, flags);
    EXPECT_EQ(end.code, 2) << expected;
    EXPECT_NE(end.err.find(expected), std::string::npos) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
    EXPECT_FALSE(std::filesystem::exists(onnx_)) << expected;
  };
  const Words nano{"--model", "wfm_nano"};
  const auto with = [&](Words flags) {
    flags.insert(flags.end(), nano.begin(), nano.end());
    return flags;
  };
  refused(with({"--size", "64", "60"}),
          "--size 64 60: height and width must be positive multiples of the patch size, 8");
  refused(with({"--dynamic-linear", "fast"}),
          "--dynamic-linear fast: known: auto, factored, merged");
  refused(with({"--resize"}), "--resize requires --preprocess");
  refused({"--model", "wfm_nono"}, "unknown model 'wfm_nono', did you mean 'wfm_nano'?");

  const auto dit = create_dit("dit_nano");
  write_safetensors(weights_, {state_dict(*dit), {}});
  refused({"--model", "dit_nano", "--preprocess"},
          "--preprocess is for classifiers, and this is a diffusion model");
  refused({"--model", "dit_nano", "--size", "8", "7"},
          "--size 8 7: height and width must be positive multiples of the patch size, 2");
  {
    const torch::NoGradGuard no_grad;
    dit->pos_embed.add_(0.5);
  }
  write_safetensors(weights_, {state_dict(*dit), {}});
  refused({"--model", "dit_nano"}, "pos_embed of these weights differs by 0.5 from the sine");

  write_safetensors(weights_, {{{"decoder.conv_in.weight", torch::zeros({3})}}, {}});
  refused({}, "decoder.conv_in.weight");
}

// The shell commands of a page, block by block.
std::string shell_blocks(const std::string& page) {
  std::istringstream lines(page);
  std::string out;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "```sh" || line == "```") {
      inside = line != "```";
    } else if (inside) {
      out += line + "\n";
    }
  }
  return out;
}

TEST_F(WfExport, TheCommandsOfItsPageRun) {
  namespace fs = std::filesystem;
  fs::create_directories(folder_ / "build");
  fs::create_directory_symlink(WF_BIN_DIR, folder_ / "build/bin");
  write_file(folder_ / ".venv/bin/python", "#!/bin/sh\nexec " WF_PYTHON " \"$@\"\n");
  fs::permissions(folder_ / ".venv/bin/python", fs::perms::owner_all);
  fs::copy(golden_path("checkpoints/published_trainer.pth"), folder_ / "weights.pth");
  fs::copy(golden_path("images/rgb_420.jpg"), folder_ / "cat.jpg");
  const auto commands = shell_blocks(read_file(WF_SOURCE_DIR "/docs/deployment.md"));
  ASSERT_NE(commands.find("wf_export"), std::string::npos);
  const auto end = run({"bash", "-ec", "cd " + folder_.path() + "\n" + commands});
  ASSERT_EQ(end.code, 0) << end.err;
  const auto infer =
      run({program("wf_infer"), folder_ / "weights.pth", folder_ / "cat.jpg", "--json"});
  const auto best = Json::parse(infer.out)["top"][0]["index"].get<int64_t>();
  EXPECT_NE(end.out.find("\n" + std::to_string(best) + " "), std::string::npos) << end.out;
}

}  // namespace
}  // namespace wf::testing
