#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>

#include <zlib.h>

#include <algorithm>
#include <filesystem>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;

// A tiny set in the same four files: `count` images of 4 x 4, image i with label i % 10 and all
// pixels i.
class WfPrepare : public ::testing::Test {
 protected:
  void SetUp() override {
    write_pair("train", 40);
    write_pair("t10k", 20);
  }
  void write_pair(const std::string& stem, int count) {
    const auto number = [](int value) {
      return std::string{0, 0, static_cast<char>(value >> 8), static_cast<char>(value)};
    };
    std::string images{0, 0, 8, 3}, labels{0, 0, 8, 1};
    images += number(count) + number(4) + number(4);
    labels += number(count);
    for (int i = 0; i < count; ++i) {
      images += std::string(16, static_cast<char>(i));
      labels += static_cast<char>(i % 10);
    }
    write_gz(stem + "-images-idx3-ubyte.gz", images);
    write_gz(stem + "-labels-idx1-ubyte.gz", labels);
  }
  void write_gz(const std::string& name, const std::string& bytes) {
    fs::create_directories(folder_ / "idx");
    const auto file = gzopen((folder_ / ("idx/" + name)).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
  Finished prepare(const std::vector<std::string>& more) {
    std::vector<std::string> words{program("wf_prepare"), "--source", folder_ / "idx", "--output",
                                   folder_ / "out"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  TempDir folder_;
};

TEST_F(WfPrepare, WritesTheFirstImagesEquallyPerClass) {
  const auto end = prepare({"--train", "20", "--val", "10"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("for ImageNet"), std::string::npos) << end.out;
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out/train")) {
    count += entry.is_regular_file();
  }
  EXPECT_EQ(count, 20);
  const auto bag = cv::imread(folder_ / "out/train/bag/00018.png", cv::IMREAD_GRAYSCALE);
  ASSERT_EQ(bag.rows, 4);
  EXPECT_EQ(bag.at<uint8_t>(0, 0), 18);
  EXPECT_TRUE(fs::exists(folder_ / "out/val/t_shirt/00000.png"));
}

TEST_F(WfPrepare, KeepsAFinishedDirectoryAndRewritesAnIncompleteOne) {
  ASSERT_EQ(prepare({"--train", "20", "--val", "10"}).code, 0);
  EXPECT_NE(prepare({"--train", "20", "--val", "10"}).out.find("already there"), std::string::npos);

  fs::rename(folder_ / "out/manifest.txt", folder_ / "out/unfinished");
  fs::remove(folder_ / "out/train/bag/00018.png");
  ASSERT_EQ(prepare({"--train", "20", "--val", "10"}).code, 0);
  EXPECT_TRUE(fs::exists(folder_ / "out/train/bag/00018.png"));
}

TEST_F(WfPrepare, HoldsOutTheLastTrainingImagesOnRequest) {
  const auto end = prepare({"--train", "20", "--val", "10", "--val-from", "train"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_TRUE(fs::exists(folder_ / "out/train/bag/00018.png"));
  EXPECT_TRUE(fs::exists(folder_ / "out/val/bag/00038.png"));
  EXPECT_EQ(prepare({"--train", "40", "--val", "10", "--val-from", "train"}).code, 2)
      << "no image may be in both";
}

TEST_F(WfPrepare, DoesNotTouchForeignImages) {
  write_file(folder_ / "out/train/cat/mine.jpg", "x");
  const auto end = prepare({"--train", "20", "--val", "10"});
  EXPECT_EQ(end.code, 2);
  EXPECT_NE(end.err.find("choose another --output"), std::string::npos) << end.err;
  EXPECT_TRUE(fs::exists(folder_ / "out/train/cat/mine.jpg"));
}

TEST_F(WfPrepare, BadInputIsOneLineAndExitCodeTwo) {
  const auto expect_error = [&](const std::vector<std::string>& more, const std::string& text) {
    fs::remove_all(folder_ / "out");
    const auto end = prepare(more);
    EXPECT_EQ(end.code, 2) << end.err;
    EXPECT_NE(end.err.find(text), std::string::npos) << end.err;
  };
  expect_error({"--train", "23", "--val", "10"}, "multiple of 10");
  expect_error({"--train", "50", "--val", "10"}, "up to 40");
  write_gz("train-labels-idx1-ubyte.gz", std::string{0, 0, 8, 1, 0, 0, 0, 40, 1, 2});
  expect_error({"--train", "20", "--val", "10"}, "damaged or truncated");
  write_gz("train-labels-idx1-ubyte.gz", std::string{0, 0, 8, 1, 0, 0, 0, 1, 1, 2});
  expect_error({"--train", "20", "--val", "10"}, "longer than declared in its header");
  write_gz("train-labels-idx1-ubyte.gz", std::string{0, 0, 8, 1, 0, 0, 0, 1, 1});
  expect_error({"--train", "20", "--val", "10"}, "40 images and 1 labels");
  write_gz("train-labels-idx1-ubyte.gz", "hello, world");
  expect_error({"--train", "20", "--val", "10"}, "not an IDX file");
  fs::remove_all(folder_ / "idx");
  expect_error({"--train", "20", "--val", "10"}, "dataset-fashion-mnist");
}

TEST_F(WfPrepare, AnOutputThatIsNoDirectoryIsOneLine) {
  write_file(folder_ / "file", "text");
  const auto end = run({program("wf_prepare"), "--source", folder_ / "idx", "--output",
                        folder_ / "file", "--train", "20", "--val", "10"});
  EXPECT_EQ(end.code, 2);
  EXPECT_EQ(end.err, "error: " + (folder_ / "file") + ": Not a directory\n");
}

TEST(WfReport, DrawsTheCurveAndTheSheet) {
  const TempDir folder;
  std::string metrics, predictions;
  for (int epoch = 0; epoch < 3; ++epoch) {
    metrics += "{\"epoch\": " + std::to_string(epoch) +
               ", \"train_loss\": 1.0, \"val_loss\": 0.9, \"val_acc1\": 80.5}\n";
  }
  write_file(folder / "metrics.jsonl", metrics + "{\"epoch\": 3, \"tra");  // truncated
  for (const char* predicted : {"bag", "coat"}) {
    predictions += std::string("{\"image\": \"") + (folder / "val/bag/1.png") +
                   "\", \"top\": [{\"class\": \"" + predicted + "\", \"probability\": 0.5}]}\n";
  }
  write_file(folder / "p.jsonl", predictions);
  std::filesystem::create_directories(folder / "val/bag");
  cv::imwrite(folder / "val/bag/1.png", cv::Mat(28, 28, CV_8UC1, cv::Scalar(90)));
  const auto end = run({program("wf_report"), "--metrics", folder / "metrics.jsonl",
                        "--predictions", folder / "p.jsonl", "--output", folder / "out"});
  ASSERT_EQ(end.code, 0) << end.err;
  EXPECT_NE(end.out.find("1 of 2 correct"), std::string::npos) << end.out;
  const auto image = cv::imread(folder / "out/contact_sheet.png");
  ASSERT_FALSE(image.empty());
  cv::Mat grey;
  cv::extractChannel(image, grey, 0);
  double low = 0, high = 0;
  cv::minMaxLoc(grey, &low, &high);
  EXPECT_LT(low, high) << "the sheet is blank";
  const auto curve = read_file(folder / "out/learning_curve.svg");
  EXPECT_NE(curve.find("data-name=\"validation\""), std::string::npos) << curve;
  EXPECT_NE(curve.find("data-x=\"1 2 3\" data-y=\"80.5 80.5 80.5\""), std::string::npos) << curve;
}

TEST(WfReport, LabelsDecideAndImagesWithoutOneAreNotWrong) {
  const TempDir folder;
  write_file(folder / "metrics.jsonl", R"({"train_loss": 1, "val_loss": 0.9, "val_acc1": 80.5})");
  cv::imwrite(folder / "deep.png", cv::Mat(28, 28, CV_8UC1, cv::Scalar(90)));
  const auto line = [&](const std::string& label) {
    return "{\"image\": \"" + (folder / "deep.png") + "\", \"label\": " + label +
           ", \"top\": [{\"class\": \"Brücke\", \"probability\": 0.5}]}\n";
  };
  const auto report = [&](const std::string& predictions) {
    write_file(folder / "p.jsonl", predictions);
    const auto end = run({program("wf_report"), "--metrics", folder / "metrics.jsonl",
                          "--predictions", folder / "p.jsonl", "--output", folder / "out"});
    EXPECT_EQ(end.code, 0) << end.err;
    return end.out;
  };
  const auto right = line("\"Brücke\""), wrong = line("\"bag\""), unlabelled = line("null");
  EXPECT_NE(report(right + right + wrong).find("Predictions: 2 of 3 correct (66.7 %)\n"),
            std::string::npos);
  EXPECT_NE(report(right + unlabelled)
                .find("Predictions: 1 of 1 correct (100.0 %), 1 images without a label"),
            std::string::npos);
  EXPECT_NE(report(unlabelled + unlabelled).find("Predictions for 2 images without a label\n"),
            std::string::npos);
  std::string many;
  for (int i = 0; i < 300; ++i) many += right;
  EXPECT_NE(report(many).find("Predictions: 300 of 300 correct (100.0 %); the sheet has 200\n"),
            std::string::npos);
  EXPECT_LT(cv::imread(folder / "out/contact_sheet.png").rows, 5000);
}

TEST(WfReport, BadInputIsOneLineThatNamesItAndExitCodeTwo) {
  const TempDir folder;
  const auto expect_error = [&](const std::string& metrics, const std::string& predictions,
                                const std::string& text) {
    write_file(folder / "metrics.jsonl", metrics);
    write_file(folder / "p.jsonl", predictions);
    const auto end = run({program("wf_report"), "--metrics", folder / "metrics.jsonl",
                          "--predictions", folder / "p.jsonl", "--output", folder / "out"});
    EXPECT_EQ(end.code, 2) << end.err;
    EXPECT_NE(end.err.find(text), std::string::npos) << end.err;
    EXPECT_EQ(std::count(end.err.begin(), end.err.end(), '\n'), 1) << end.err;
  };
  const std::string good = R"({"train_loss": null, "val_loss": 0.9, "val_acc1": 80.5})";
  expect_error("", "", "metrics.jsonl: the file is empty");
  expect_error("nonsense\n{}\n", "", "metrics.jsonl:1: not a JSON object");
  expect_error(good, R"({"image": "a.png", "top": []})", "p.jsonl:1: array index 0");
  expect_error(good, R"({"image": "no/a.png", "top": [{"class": "a", "probability": 1}]})",
               "no/a.png: cannot be read");
}

}  // namespace
}  // namespace wf::testing
