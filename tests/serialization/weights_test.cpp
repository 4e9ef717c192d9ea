#include "weightformer/serialization/weights.h"

#include "weightformer/core/check.h"
#include "weightformer/models/model.h"

#include "serialization/tensor_file.h"
#include "support/fill.h"
#include "support/golden.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <functional>

namespace wf::testing {
namespace {

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TensorMap expected_weights() {
  TensorMap out;
  for (const auto& [name, tensor] : golden("checkpoints/expected.safetensors").tensors) {
    if (name.rfind("model.", 0) == 0) out[name.substr(6)] = tensor;
  }
  return out;
}

TEST(ReadWeights, EveryFormatGivesTheSameWeightsBitForBit) {
  const auto bare = read_weights(golden_path("checkpoints/bare_state_dict.pth")).tensors;
  ASSERT_EQ(bare.size(), 66u);
  EXPECT_EQ(bare.at("head.weight").sizes(), (std::vector<int64_t>{10, 32}));
  for (const std::string name : {"module_prefix.pth", "legacy_not_zip.pth", "hub.safetensors"}) {
    const auto other = read_weights(golden_path("checkpoints/" + name)).tensors;
    ASSERT_EQ(other.size(), bare.size()) << name;
    for (const auto& [key, tensor] : bare) {
      EXPECT_TRUE(torch::equal(other.at(key), tensor)) << name << " " << key;
    }
  }
  for (const auto& [name, dtype] :
       {std::pair("half.pth", torch::kHalf), std::pair("bfloat16.pth", torch::kBFloat16)}) {
    const auto other = read_weights(golden_path(std::string("checkpoints/") + name)).tensors;
    ASSERT_EQ(other.size(), bare.size()) << name;
    for (const auto& [key, tensor] : bare) {
      EXPECT_TRUE(torch::equal(other.at(key), tensor.to(dtype))) << name << " " << key;
    }
  }
}

TEST(ReadWeights, ThePublishedCheckpointGivesItsLogits) {
  const auto path = golden_path("checkpoints/published_trainer.pth");
  auto weights = read_weights(path);
  EXPECT_EQ(weights.source_key, "model");
  for (const auto& [name, tensor] : expected_weights()) {
    EXPECT_TRUE(torch::equal(weights.tensors.at(name), tensor)) << name;
  }
  const auto model = create_classifier("wfm_nano");
  load_weights(*model, std::move(weights), path);
  model->eval();
  const torch::NoGradGuard no_grad;
  expect_close(model->forward(filled("input.x", {2, 3, 64, 64})),
               golden("checkpoints/expected.safetensors").tensors.at("logits"), kLogitTolerance,
               "logits");
}

TEST(TensorFile, SharedAndStridedViewsKeepTheirShapeAndTheirMemory) {
  TensorFile file(golden_path("checkpoints/views.pth"));
  const auto views = file.tensors(file.root());
  EXPECT_EQ(views.at("strided").sizes(), (std::vector<int64_t>{6, 32}));
  EXPECT_EQ(views.at("strided").strides(), (std::vector<int64_t>{1, 128}));
  EXPECT_TRUE(views.at("shared_a").is_alias_of(views.at("shared_b")));
  EXPECT_FALSE(views.at("shared_a").is_alias_of(views.at("ints")));
  EXPECT_EQ(views.at("scalar").dim(), 0);
  EXPECT_EQ(views.at("empty").sizes(), (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(views.at("ints").scalar_type(), torch::kLong);
  views.at("shared_a").zero_();  // a private map: the file does not change
  TensorFile again(golden_path("checkpoints/views.pth"));
  EXPECT_GT(again.tensor(*again.root().find("shared_a")).abs().sum().item<double>(), 0);
}

TEST(ReadWeights, ABadFileGivesOneLineAndRunsNothing) {
  const std::pair<std::string, std::string> cases[] = {
      {"empty.pth", "the file is empty"},
      {"text.pth", "neither a file of torch.save nor safetensors"},
      {"truncated.pth", "truncated"},
      {"huge_header.safetensors", "claims a header of 4611686018427387904 bytes"},
      {"runs_code.pth", "refused: its pickle calls posix.system at byte 8831"},
  };
  for (const auto& [name, expected] : cases) {
    const auto path = golden_path("checkpoints_bad/" + name);
    const auto message = error_of([&] { read_weights(path); });
    EXPECT_EQ(message.rfind(path + ": ", 0), 0u) << message;
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_FALSE(std::filesystem::exists("PWNED"));
}

// Files of tests/golden/make_checkpoints_special.py.
TEST(ReadWeights, TensorsWithoutPlainBytesAreRefusedByName) {
  const std::pair<std::string, std::string> cases[] = {
      {"negative.pth", ": special: a tensor in negative view (resolve_neg())"},
      {"quantized.pth", ": special: a tensor that is sparse, quantized or nested ("},
      {"sparse.pth", ": special: a tensor that is sparse, quantized or nested ("},
  };
  for (const auto& [name, expected] : cases) {
    const auto path = golden_path("checkpoints_special/" + name);
    const auto message = error_of([&] { read_weights(path); });
    EXPECT_EQ(message.rfind(path + expected, 0), 0u) << message;
  }
}

TEST(ReadWeights, TheOldFormatIsReadInEveryProtocol) {
  for (const char* protocol : {"3", "4", "5"}) {
    const auto path = golden_path(str("checkpoints_special/legacy_protocol_", protocol, ".pth"));
    const auto tensors = read_weights(path).tensors;
    EXPECT_TRUE(torch::equal(tensors.at("plain"), torch::tensor({{1.0F, 0.0F}, {0.0F, -2.0F}})));
  }
}

TEST(ReadWeights, OneFlippedBitIsFound) {
  const TempDir folder;
  for (const std::string name : {"bare_state_dict.pth", "ours.pth", "ours.safetensors"}) {
    const auto path = folder / name;
    if (name == "ours.pth") {
      TensorTree tree;
      tree.write(path, *tree.of({"x"}, {{"x", torch::ones({30'000})}}));
    } else if (name == "ours.safetensors") {
      write_safetensors(path, {{{"x", torch::ones({30'000})}}, {}});
    } else {
      write_file(path, read_file(golden_path("checkpoints/" + name)));
    }
    read_weights(path);
    auto bytes = read_file(path);
    bytes[bytes.size() / 2] ^= 4;
    write_file(path, bytes);
    const auto message = error_of([&] { read_weights(path); });
    EXPECT_NE(message.find("checksum"), std::string::npos) << name << ": " << message;
    EXPECT_NO_THROW(read_weights(path, {/*ema=*/false, Checksums::never}));
  }
}

// A module with parameters of the names and shapes of `like`, all zero, in `dtype`.
torch::nn::Module zeros_like(const TensorMap& like, torch::Dtype dtype = torch::kFloat) {
  torch::nn::Module module;
  for (const auto& [name, tensor] : like) {
    module.register_buffer(name, torch::zeros_like(tensor, dtype));
  }
  return module;
}

// Plain copies, shared memory, strides, other dtypes and more than one chunk, in both formats.
TEST(LoadWeights, ChecksumsAreComparedOnTheWayAndEveryTensorArrives) {
  const TempDir folder;
  const auto large = torch::randn({5'000'000});  // 20 MB: three chunks
  const TensorMap tensors{{"a", torch::randn({3, 5})},
                          {"half", torch::randn({7}).to(torch::kHalf)},
                          {"large", large},
                          {"nothing", torch::zeros({0})},
                          {"z", torch::randn({30'001})}};
  TensorTree tree;
  std::vector<std::string> names;
  for (const auto& item : tensors) names.push_back(item.first);
  tree.write(folder / "w.pth", *tree.of(names, tensors));
  write_safetensors(folder / "w.safetensors", {tensors});
  for (const std::string name : {"w.pth", "w.safetensors"}) {
    auto module = zeros_like(tensors);
    load_weights(module, folder / name);
    for (const auto& [key, tensor] : state_dict(module)) {
      EXPECT_TRUE(torch::equal(tensor, tensors.at(key).to(torch::kFloat))) << name << " " << key;
    }
    const auto complete = read_file(folder / name);
    const auto sought = [&](const at::Tensor& tensor) {
      return complete.find({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
    };
    for (const auto& key : {"half", "large", "z"}) {
      auto damaged = complete;
      damaged[sought(tensors.at(key)) + 5] ^= 1;
      write_file(folder / "damaged", damaged);
      const auto message = error_of([&] { load_weights(module, folder / "damaged"); });
      EXPECT_NE(message.find("checksum"), std::string::npos) << name << " " << key << message;
    }
  }
  const auto views = golden_path("checkpoints/views.pth");
  const auto expected = read_weights(views).tensors;
  auto module = zeros_like(expected);
  load_weights(module, views);
  for (const auto& [key, tensor] : state_dict(module)) {
    EXPECT_TRUE(torch::equal(tensor, expected.at(key))) << key;
  }
}

TEST(ReadWeights, WrappersAreOpenedAndEmaWeightsReadOnRequest) {
  const TempDir folder;
  TensorTree tree;
  auto& d = tree.document;
  auto* root = d.make(pickle::Kind::dict);
  auto* model = d.put(root, "model", d.make(pickle::Kind::dict));
  d.put(model, "module._orig_mod.head.weight", tree.of(torch::ones({2, 2})));
  auto* ema = d.put(root, "model_ema", d.make(pickle::Kind::dict));
  auto* inner = d.put(ema, "state_dict", d.make(pickle::Kind::dict));
  d.put(inner, "head._orig_mod.weight", tree.of(torch::zeros({2, 2})));
  d.put(root, "note", d.of("x"));
  tree.write(folder / "w", *root);
  EXPECT_EQ(read_weights(folder / "w").tensors.at("head.weight").sum().item<float>(), 4);
  const auto averaged = read_weights(folder / "w", {/*ema=*/true, Checksums::now});
  EXPECT_EQ(averaged.tensors.at("head.weight").sum().item<float>(), 0);
  EXPECT_EQ(averaged.source_key, "model_ema.state_dict");
  // As in PyTorch's ImageNet example: another tensor beside the weights.
  d.put(root, "best_acc1", tree.of(torch::ones({})));
  tree.write(folder / "example", *root);
  EXPECT_EQ(read_weights(folder / "example").tensors.count("head.weight"), 1u);
  const auto bare = golden_path("checkpoints/bare_state_dict.pth");
  EXPECT_NE(error_of([&] {
              read_weights(bare, {true, Checksums::now});
            }).find("no EMA weights"),
            std::string::npos);
}

// As wf_convert once wrote complete checkpoints.
TEST(ReadWeights, AFullCheckpointInSafetensorsGivesTrainedOrEmaWeights) {
  const TempDir folder;
  const auto path = folder / "all.safetensors";
  const TensorMap tensors{{"model.head.weight", torch::ones({2})},
                          {"model_ema.head.weight", torch::zeros({2})},
                          {"optimizer.state.0.exp_avg", torch::ones({2})}};
  write_safetensors(path, {tensors, {{"checkpoint", "{}"}}});
  const auto trained = read_weights(path), averages = read_weights(path, {/*ema=*/true});
  EXPECT_EQ(trained.tensors.size(), 1u);
  EXPECT_EQ(trained.tensors.at("head.weight").sum().item<float>(), 2);
  EXPECT_EQ(trained.source_key, "model");
  EXPECT_TRUE(trained.has_ema);
  EXPECT_EQ(averages.tensors.at("head.weight").sum().item<float>(), 0);
}

TEST(LoadWeights, ABadFitNamesTheModelOfACheckpoint) {
  const TempDir folder;
  TensorTree tree;
  auto& d = tree.document;
  auto* root = d.make(pickle::Kind::dict);
  d.put(d.put(root, "model", d.make(pickle::Kind::dict)), "other", tree.of(torch::ones({2})));
  auto* config = d.put(root, "config", d.make(pickle::Kind::dict));
  d.put(d.put(config, "MODEL", d.make(pickle::Kind::dict)), "NAME", d.of("wfm_huge"));
  tree.write(folder / "c.pth", *root);
  const auto model = create_classifier("wfm_nano");
  const auto message = error_of([&] { load_weights(*model, folder / "c.pth"); });
  EXPECT_NE(message.find("c.pth (a checkpoint of wfm_huge): not the weights"), std::string::npos)
      << message;
}

TEST(LoadWeights, ABadFitNamesKeysAndShapes) {
  const auto model = create_classifier("wfm_nano");
  const auto missing = golden_path("checkpoints_bad/missing_key.pth");
  const auto message = error_of([&] { load_weights(*model, missing); });
  EXPECT_NE(message.find(": not the weights of this model: missing "), std::string::npos)
      << message;
  LoadOptions allow;
  allow.allow_missing = true;
  EXPECT_EQ(load_weights(*model, missing, allow).missing.size(), 1u);

  const auto other = golden_path("checkpoints_bad/other_classes.pth");
  const auto shapes = error_of([&] { load_weights(*model, other); });
  EXPECT_NE(shapes.find("in the file and [10] in the model"), std::string::npos) << shapes;
  EXPECT_NE(shapes.find("--pretrained"), std::string::npos) << shapes;
  LoadOptions fresh;
  fresh.allow_head_mismatch = true;
  EXPECT_EQ(load_weights(*model, other, fresh).reinitialized,
            (std::vector<std::string>{"head.bias", "head.weight"}));
}

TEST(LoadWeights, NamesMissingSurplusAndMisshapenTensorsAndCopiesNothing) {
  const auto model = create_classifier("wfm_nano");
  TensorMap weights;
  for (const auto& [name, tensor] : state_dict(*model)) weights[name] = torch::zeros_like(tensor);
  const auto message = [&](const TensorMap& broken) {
    return error_of([&] { load_weights(*model, broken, "w.pth"); });
  };
  auto broken = weights;
  broken.erase("head.bias");
  broken["extra"] = torch::zeros({1});
  EXPECT_EQ(message(broken),
            "w.pth: not the weights of this model: missing head.bias; unexpected extra");
  broken = weights;
  broken["norm.bias"] = torch::zeros({3});
  EXPECT_EQ(
      message(broken),
      "w.pth: norm.bias is [3] in the file and [32] in the model; are they the weights of this "
      "model (MODEL.NAME, --model)?");
  EXPECT_GT(state_dict(*model).at("norm.weight").sum().item<float>(), 0);
  EXPECT_EQ(message(weights), "");
  EXPECT_EQ(state_dict(*model).at("norm.weight").sum().item<float>(), 0);
}

}  // namespace
}  // namespace wf::testing
