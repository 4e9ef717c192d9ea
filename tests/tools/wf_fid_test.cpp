// wf_fid on image files and arrays, with Inception's weights from a formula.

#include "core/npz.h"
#include "metrics/statistics_file.h"
#include "support/golden.h"
#include "support/inception_weights.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <torch/types.h>

#include <filesystem>
#include <fstream>

namespace wf::testing {
namespace {

using nlohmann::json;

// The images of make_inception_golden.py: [H, W, 3] uint8.
at::Tensor image_of(const std::string& side, int64_t i) {
  const bool sample = side == "a";
  const int64_t height = sample ? 48 : 40, width = sample ? 48 : 64, count = sample ? 12 : 10;
  auto v = uniform_signed(side + "." + std::to_string(i), height * width * 3);
  const double shift = i < count - 4 ? 0 : sample ? -0.7 : 0.7;
  v = v * (shift == 0 ? 1 - static_cast<double>(i) / 16 : 0.2) + shift;
  return ((v + 1) * 128).floor().to(torch::kByte).view({height, width, 3});
}

void write_images(const std::string& directory, const std::string& side, int64_t count) {
  std::filesystem::create_directories(directory);
  for (int64_t i = 0; i < count; ++i) {
    const auto bgr = image_of(side, i).flip(2).contiguous();
    const cv::Mat pixels(static_cast<int>(bgr.size(0)), static_cast<int>(bgr.size(1)), CV_8UC3,
                         bgr.data_ptr());
    cv::imwrite(directory + "/" + (i < 10 ? "0" : "") + std::to_string(i) + ".png", pixels);
  }
}

class WfFid : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TempDir;
    write_safetensors(path("weights.safetensors"), {inception_weights()});
    write_images(path("a"), "a", 12);
    write_images(path("b"), "b", 10);
  }
  static void TearDownTestSuite() { delete directory_; }

  static std::string path(const std::string& name) { return *directory_ / name; }
  static Finished fid(std::vector<std::string> words, const std::string& weights = "") {
    words.insert(words.begin(), program("wf_fid"));
    words.insert(words.end(), {"--device", "cpu", "--weights",
                               weights.empty() ? path("weights.safetensors") : weights});
    return wf::testing::run(words);
  }
  // The result of a run that must end well.
  static json result(std::vector<std::string> words) {
    words.insert(words.end(), {"--output", path("result.json")});
    const auto ended = fid(words);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return json::parse(std::ifstream(path("result.json")), nullptr, false);
  }
  static void expect_refused(const Finished& ended, const std::string& message) {
    EXPECT_EQ(ended.code, 2) << ended.err;
    EXPECT_NE(ended.err.find(message), std::string::npos) << ended.err;
    EXPECT_EQ(ended.err.find("error: ", ended.err.find("error: ") + 1), std::string::npos);
  }
  static inline TempDir* directory_ = nullptr;
};

TEST_F(WfFid, GivesTheFiguresOfPytorchFidAndTorchFidelity) {
  const auto golden = json::parse(std::ifstream(golden_path("inception/figures.json")));
  for (const auto& [input, figures] : golden.items()) {
    const auto found = result({path("a"), path("b"), "--input", input});
    EXPECT_EQ(found["settings"]["input"], input);
    for (const auto& [name, value] : figures.items()) {
      EXPECT_NEAR(found["figures"][name], value, 1e-4 * value.get<double>()) << input << name;
    }
    // Half of the samples gives another figure of the same size.
    const double all = found["figures"]["fid"], half = found["figures"]["fid_half"];
    EXPECT_NE(half, all);
    EXPECT_NEAR(half, all, 0.2 * all);
    EXPECT_FALSE(found["figures"].contains("fid_extrapolated"));  // 6 images for 2048 features
  }
}

TEST_F(WfFid, ArraysAndStatisticsGiveTheFiguresOfTheImages) {
  const std::vector<std::string> only{"--figures", "fid,sfid"};
  const auto compare = [&](const std::string& samples, const std::string& reference) {
    return result({samples, reference, "--figures", "fid,sfid"})["figures"];
  };
  const auto direct = compare(path("a"), path("b"));
  std::vector<at::Tensor> images;
  for (int64_t i = 0; i < 12; ++i) images.push_back(image_of("a", i));
  write_npz(path("samples.npz"), {{{"arr_0", torch::stack(images)}}});
  EXPECT_EQ(compare(path("samples.npz"), path("b")), direct);
  const auto saved = fid({path("b"), "--save-stats", path("b.npz")});
  ASSERT_EQ(saved.code, 0) << saved.err;
  EXPECT_NE(saved.err.find("images/s"), std::string::npos) << saved.err;
  EXPECT_EQ(compare(path("a"), path("b.npz")), direct);
  // Without weights: statistics on both sides.
  ASSERT_EQ(fid({path("a"), "--save-stats", path("a.npz")}).code, 0);
  const auto both =
      run({program("wf_fid"), path("a.npz"), path("b.npz"), "--output", path("r.json")});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_NE(both.err.find("left out: FID at N/2: needs the images of the samples"),
            std::string::npos)
      << both.err;
  EXPECT_NE(both.err.find("KID: statistics of the samples do not suffice"), std::string::npos);
  const auto figures = json::parse(std::ifstream(path("r.json")))["figures"];
  EXPECT_NEAR(figures["fid"], direct["fid"], 1e-9);
  EXPECT_NEAR(figures["sfid"], direct["sfid"], 1e-9);
  // An ADM reference: statistics, and images for precision and recall.
  auto adm = read_statistics(path("b.npz"));
  std::vector<at::Tensor> references;
  for (int64_t i = 0; i < 10; ++i) references.push_back(image_of("b", i));
  write_npz(path("adm.npz"), {{{"arr_0", torch::stack(references)},
                               {"mu", adm.pooled.mean},
                               {"sigma", adm.pooled.covariance},
                               {"mu_s", adm.spatial->mean},
                               {"sigma_s", adm.spatial->covariance}}});
  const auto all = result({path("a"), path("adm.npz")})["figures"];
  EXPECT_NEAR(all["fid"], direct["fid"], 1e-9);
  EXPECT_NEAR(all["recall"], 0.6, 1e-6);
}

TEST_F(WfFid, ExplainsWhatTwoResultsDifferIn) {
  for (const auto* input : {"tensorflow", "pytorch"}) {
    const auto ended = fid({path("a"), path("b"), "--figures", "fid", "--input", input, "--output",
                            path(std::string(input) + ".json"), "--save-stats",
                            path(std::string(input) + ".npz")});
    ASSERT_EQ(ended.code, 0) << ended.err;
  }
  const auto ended =
      run({program("wf_fid"), "--explain", path("tensorflow.json"), path("pytorch.json")});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("settings that differ:\n  input: tensorflow / pytorch\n"),
            std::string::npos)
      << ended.out;
  EXPECT_EQ(ended.out.find("weights:"), std::string::npos) << ended.out;
  const auto same = run({program("wf_fid"), "--explain", path("pytorch.npz"), path("pytorch.npz")});
  EXPECT_EQ(same.out, "no setting differs\n");
  expect_refused(run({program("wf_fid"), path("tensorflow.npz"), path("pytorch.npz")}),
                 "cannot be compared (samples / reference): input: tensorflow / pytorch");
}

TEST_F(WfFid, WarnsOfFewAndOfGrayImages) {
  const auto gray = image_of("a", 0).narrow(2, 0, 1).repeat({4, 1, 1, 1});
  write_npz(path("gray.npz"), {{{"arr_0", gray}}});
  const auto ended = fid({path("gray.npz"), path("b"), "--figures", "fid"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("samples: all images are gray"), std::string::npos) << ended.err;
  EXPECT_EQ(ended.err.find("reference: all images are gray"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find("samples: 4 images for 2048 features: the FID is biased upwards"),
            std::string::npos)
      << ended.err;
}

TEST_F(WfFid, RefusesBadInputInOneLine) {
  const auto mu = torch::zeros(2048, torch::kDouble);
  write_npz(path("no_sigma.npz"), {{{"mu", mu}}});
  expect_refused(fid({path("no_sigma.npz"), path("b")}),
                 "need the arrays mu and sigma, and it has mu");
  auto sigma = torch::eye(2048, torch::kDouble);
  write_npz(path("large.npz"),
            {{{"mu", mu}, {"sigma", torch::zeros({2049, 2048}, torch::kDouble)}}});
  expect_refused(fid({path("large.npz"), path("b")}), "more than 4194304 numbers");
  sigma[3][3] = NAN;
  write_npz(path("nan.npz"), {{{"mu", mu}, {"sigma", sigma}}});
  expect_refused(fid({path("nan.npz"), path("b")}),
                 "nan.npz: sigma holds numbers that are not finite");
  write_npz(path("latents.npz"), {{{"arr_0", torch::zeros({4, 4, 8, 8})}}});
  expect_refused(fid({path("latents.npz"), path("b")}), "expected images [N, H, W, 3] of uint8");
  write_npz(path("full.npz"), {{{"arr_0", image_of("a", 0).repeat({3, 1, 1, 1})}}});
  const auto bytes = read_file(path("full.npz"));
  write_file(path("cut.npz"), bytes.substr(0, bytes.size() / 2));
  expect_refused(fid({path("cut.npz"), path("b")}), "cut.npz: not a zip archive, or truncated");
  std::filesystem::create_directories(path("damaged"));
  std::filesystem::copy(path("a/00.png"), path("damaged/0.png"));
  write_file(path("damaged/1.png"), "not an image");
  expect_refused(fid({path("damaged"), path("b")}), "damaged/1.png: damaged");
  expect_refused(fid({path("a"), path("b"), "--figures", "fdi"}), "did you mean 'fid'");
  expect_refused(run({program("wf_fid"), path("a"), path("b")}), "give --weights FILE");
  expect_refused(run({program("wf_fid"), path("a")}), "give two sets of images");
  expect_refused(fid({path("a"), "--save-stats", path("s.npz"), "--output", path("o.json")}),
                 "there are no figures without a reference");

  auto other = inception_weights();
  other["AuxLogits.fc.weight"] = torch::zeros({1000, 768});
  write_safetensors(path("torchvision.safetensors"), {other});
  expect_refused(fid({path("a"), path("b")}, path("torchvision.safetensors")),
                 "torchvision's Inception-v3");
  write_safetensors(path("other.safetensors"), {{{"conv.weight", torch::zeros({3, 3})}}});
  expect_refused(fid({path("a"), path("b")}, path("other.safetensors")),
                 "not the Inception-v3 of the FID");
}

}  // namespace
}  // namespace wf::testing
