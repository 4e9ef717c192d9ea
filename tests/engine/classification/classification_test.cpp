#include "weightformer/engine/trainer.h"

#include "data/image_reader.h"
#include "data/transforms.h"
#include "engine/classification/classification_task.h"
#include "engine/classification/evaluation_report.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <numeric>
#include <set>

namespace wf::testing {
namespace {

constexpr int kSide = 16;

std::unique_ptr<Loader> toy_loader(bool train, std::shared_ptr<const Dataset> data = nullptr) {
  if (!data) data = std::make_shared<ToyDataset>(44, kSide);
  TransformOptions transform;
  transform.size = kSide;
  LoaderOptions options;
  options.batch_size = 8;
  options.workers = 2;
  options.train = options.drop_last = train;
  Sampler sampler(data->size(), train, options.seed);
  auto transformed = train ? make_train_transform(transform) : make_eval_transform(transform);
  return std::make_unique<Loader>(make_image_reader(data, std::move(transformed)), sampler,
                                  options);
}

std::shared_ptr<Classifier> toy_model() {
  torch::manual_seed(3);
  return make_classifier(
      classifier_options("wfm_nano").num_classes(2).drop_path_rate(0.3).patch_size(4));
}

class Collect : public Observer {
 public:
  void on_epoch_end(const TrainState&, const EpochReport& report) override {
    reports.push_back(report);
  }
  std::vector<EpochReport> reports;
};

// Three epochs on the toy images; their reports.
std::vector<EpochReport> train_toy(TrainerOptions options = {}) {
  TrainState state;
  const auto model = toy_model();
  ClassificationTask task(model, toy_loader(false), {});
  const auto train = toy_loader(true);
  state.model = model;
  state.optimizer = make_optimizer({}, param_groups(*model, 0.05));
  state.schedule.base_lr = 1e-3;
  state.schedule.total_steps = 15;
  state.schedule.warmup_steps = 5;
  options.epochs = 3;
  Trainer trainer(state, task, *train, options);
  const auto collected = std::make_shared<Collect>();
  trainer.add(collected);
  trainer.run();
  EXPECT_EQ(model->parameters()[0].scalar_type(), torch::kFloat);
  return collected->reports;
}

TEST(ClassificationTask, LearnsTheToyImages) {
  const auto reports = train_toy();
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_LT(reports.back().train_loss, reports.front().train_loss);
  const auto loss = [](const EpochReport& report) {
    return report.validation->trained.value(ClassificationTask::kLoss);
  };
  EXPECT_LT(loss(reports.back()), loss(reports.front()));
}

TEST(ClassificationTask, MixedPrecisionFollowsFloat32) {
  TrainerOptions options;
  options.amp = torch::kBFloat16;
  const double full = train_toy().back().train_loss, mixed = train_toy(options).back().train_loss;
  EXPECT_NEAR(full, mixed, 0.02);
  EXPECT_NE(full, mixed) << "autocast had no effect";
}

TEST(ClassificationTask, RefusesACheckpointWhoseClassesChangedTheirMeaning) {
  ClassificationOptions options;
  options.classes = {"cat", "dog"};
  const ClassificationTask task(toy_model(), toy_loader(false), options);
  EXPECT_NO_THROW(task.check_metadata({}, "old.pth"));
  EXPECT_NO_THROW(task.check_metadata({{"classes", {"cat", "dog"}}}, "same.pth"));
  EXPECT_THROW(task.check_metadata({{"classes", {"dog", "cat"}}}, "swapped.pth"), Error);
}

TEST(Evaluate, WithoutAReadableImageThereIsNoResult) {
  const auto data = std::make_shared<ToyDataset>(2, kSide, std::set<int64_t>{0, 1});
  const auto loader = toy_loader(false, data);
  const auto model = toy_model();
  EXPECT_EQ(error_of([&] { evaluate(*model, *loader, {}); }),
            "none of the 2 validation images can be read; the log names the first ones");
}

TEST(Evaluate, NamesTheImagesOfTheLargestLosses) {
  const auto model = toy_model();
  const auto data = std::make_shared<ToyDataset>(21, kSide, std::set<int64_t>{3});
  const auto loader = toy_loader(false, data);
  EvaluateOptions options;
  options.hardest = 4;
  const auto hardest = evaluate(*model, *loader, options).hardest;
  ASSERT_EQ(hardest.size(), 4u);
  model->eval();
  std::vector<int64_t> all(21);
  std::iota(all.begin(), all.end(), 0);
  const auto batch = loader->read(all);
  const torch::NoGradGuard no_grad;
  const auto logits = model->forward(batch.inputs);
  const auto losses = at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::None, -1);
  const auto order = std::get<1>(losses.sort(/*dim=*/0, /*descending=*/true));
  for (int64_t i = 0; i < 4; ++i) {
    const auto& image = hardest[static_cast<size_t>(i)];
    const auto index = order[i].item<int64_t>();
    EXPECT_EQ(image.index, index);
    EXPECT_NEAR(image.loss, losses[index].item<double>(), 1e-5);
    EXPECT_EQ(image.truth, index % 2);
    const auto scores = logits[index].softmax(0);
    EXPECT_EQ(image.predicted, scores.argmax().item<int64_t>());
    EXPECT_NEAR(image.probability, scores.max().item<double>(), 1e-5);
  }
  options.hardest = 50;
  EXPECT_EQ(evaluate(*model, *loader, options).hardest.size(), 20u) << "all that can be read";
}

TEST(Evaluate, CountsEveryImageOnceAndUnreadableOnesAsWrong) {
  const auto model = toy_model();
  // 21 images at batch 8: an uneven tail; two damaged ones.
  const auto data = std::make_shared<ToyDataset>(21, kSide, std::set<int64_t>{3, 20});
  const auto loader = toy_loader(false, data);
  const auto result = evaluate(*model, *loader, {});
  EXPECT_EQ(result.images, 21);
  EXPECT_EQ(result.unreadable, 2);
  EXPECT_EQ(result.real_images, 0) << "no such labels were given";

  model->eval();
  const torch::NoGradGuard no_grad;
  TransformOptions options;
  options.size = kSide;
  const auto transform = make_eval_transform(options);
  double loss = 0, right = 0;
  for (int64_t i = 0; i < 21; ++i) {
    if (i == 3 || i == 20) continue;
    auto x = torch::empty({1, 3, kSide, kSide});
    CounterRng unused{0};
    (*transform)(data->load(i), unused, x.data_ptr<float>());
    const auto logits = model->forward(x);
    loss -= logits.log_softmax(1)[0][data->label(i)].item<double>() / 19;
    right += logits.argmax(1).item<int64_t>() == data->label(i);
  }
  EXPECT_NEAR(result.loss, loss, 1e-6);
  EXPECT_DOUBLE_EQ(result.acc1, 100 * right / 21);
  EXPECT_DOUBLE_EQ(result.acc5, 100.0 * 19 / 21)
      << "two classes: every readable one is a top-5 hit";
}

TEST(Evaluate, TheConfusionTableAndRealLabelsCountPredictions) {
  const auto model = toy_model();
  const auto data = std::make_shared<ToyDataset>(21, kSide, std::set<int64_t>{3});
  const auto loader = toy_loader(false, data);
  EvaluateOptions options;
  options.confusion = true;
  // Both classes are correct for the first image, none for the second.
  std::vector<std::vector<int64_t>> real(21);
  for (int64_t i = 0; i < 21; ++i) real[i] = {i % 2};
  real[0] = {0, 1};
  real[1] = {};
  options.real_labels = &real;
  const auto result = evaluate(*model, *loader, options);
  EXPECT_EQ(result.confusion.sum().item<int64_t>(), 20);
  EXPECT_EQ(result.confusion.sum(1)[0].item<int64_t>(), 11);
  const auto right = result.confusion.diagonal().sum().item<int64_t>();
  EXPECT_DOUBLE_EQ(result.acc1, 100.0 * right / 21);
  EXPECT_EQ(result.real_images, 20);
  const auto single = [&](int64_t i) {
    model->eval();
    const torch::NoGradGuard no_grad;
    TransformOptions transform;
    transform.size = kSide;
    auto x = torch::empty({1, 3, kSide, kSide});
    CounterRng unused{0};
    (*make_eval_transform(transform))(data->load(i), unused, x.data_ptr<float>());
    return model->forward(x).argmax(1).item<int64_t>() == i % 2;
  };
  const int64_t expected = right + (single(0) ? 0 : 1) - (single(1) ? 1 : 0);
  EXPECT_DOUBLE_EQ(result.real_acc1, 100.0 * expected / 20);

  const TempDir folder;
  write_evaluation(folder / "", result, {"up,right", "level"});
  const std::string classes = read_file(folder / "classes.csv");
  EXPECT_NE(classes.find("\"up,right\",11,"), std::string::npos) << classes;
  EXPECT_NE(read_file(folder / "confusion.csv").find("level,"), std::string::npos);
}

}  // namespace
}  // namespace wf::testing
