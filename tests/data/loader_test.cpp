#include "weightformer/data/loader.h"

#include "weightformer/core/check.h"

#include "data/image_reader.h"
#include "runtime/stop_signal.h"
#include "support/gate.h"
#include "support/photo.h"
#include "support/toy_data.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <set>
#include <thread>

namespace wf::testing {
namespace {

constexpr int kSide = 12;

std::unique_ptr<Loader> make(int workers, LoaderOptions options = {},
                             std::shared_ptr<const Dataset> data = nullptr) {
  if (!data) data = std::make_shared<ToyDataset>(50, kSide);
  options.workers = workers;
  if (options.batch_size == 1) options.batch_size = 8;
  TransformOptions transform;
  transform.size = kSide;
  Sampler sampler(data->size(), options.train, options.seed);
  auto transformed =
      options.train ? make_train_transform(transform) : make_eval_transform(transform);
  return std::make_unique<Loader>(make_image_reader(data, std::move(transformed)), sampler,
                                  options);
}

LoaderOptions training() {
  LoaderOptions options;
  options.train = options.drop_last = true;
  options.seed = 9;
  return options;
}

std::vector<Batch> drain(Loader& loader, int64_t epoch, int64_t first = 0) {
  std::vector<Batch> out;
  loader.start(epoch, first);
  for (Batch batch; loader.next(batch);) out.push_back(batch);
  return out;
}

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.indices, b.indices);
  EXPECT_TRUE(torch::equal(a.labels, b.labels));
  EXPECT_TRUE(torch::equal(a.inputs, b.inputs));
}

TEST(Loader, GivesTheSameBitsForAnyNumberOfWorkersAndFromAnyBatch) {
  const auto plain = make(0, training());
  const auto expected = drain(*plain, 4);
  ASSERT_EQ(expected.size(), 6u);
  for (int workers : {1, 3, 7}) {
    const auto loader = make(workers, training());
    const auto all = drain(*loader, 4);
    ASSERT_EQ(all.size(), expected.size());
    for (size_t i = 0; i < all.size(); ++i) expect_same(all[i], expected[i]);
    const auto rest = drain(*loader, 4, 4);
    ASSERT_EQ(rest.size(), 2u);
    expect_same(rest[0], expected[4]);
  }
  EXPECT_NE(drain(*plain, 5)[0].indices, expected[0].indices);
  EXPECT_TRUE(drain(*plain, 4, 6).empty());
}

TEST(Loader, SamplesThatAreReadForDisplayAreThoseOfTheFirstEpoch) {
  const auto loader = make(2, training());
  const auto expected = drain(*make(0, training()), 0);
  loader->start(0);
  Batch batch;
  for (const auto& each : expected) {
    expect_same(loader->read(each.indices), each);
    ASSERT_TRUE(loader->next(batch));
    expect_same(batch, each);
  }
  EXPECT_EQ(loader->reader().size(), 50);
  const auto damaged = std::make_shared<ToyDataset>(50, kSide, std::set<int64_t>{7});
  const auto shown = make(2, training(), damaged)->read({7, 8});
  EXPECT_EQ(shown.labels[0].item<int64_t>(), -1);
  EXPECT_EQ(shown.labels[1].item<int64_t>(), 0);
}

TEST(Loader, AnEvaluationSeesEveryImageOnce) {
  const auto loader = make(2);
  EXPECT_EQ(loader->batches(), 7);
  std::multiset<int64_t> seen;
  for (const auto& batch : drain(*loader, 0)) {
    seen.insert(batch.indices.begin(), batch.indices.end());
  }
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 50u);
}

TEST(Loader, WithFewerImagesThanABatchThereIsNone) {
  const auto loader = make(2, training(), std::make_shared<ToyDataset>(5, kSide));
  EXPECT_EQ(loader->batches(), 0);
  EXPECT_TRUE(drain(*loader, 0).empty());
}

TEST(Loader, AnUnreadableImageIsReplacedInTrainingAlwaysByTheSameOne) {
  const std::set<int64_t> bad{3, 17, 40};
  const auto data = std::make_shared<ToyDataset>(50, kSide, bad);
  auto options = training();
  options.drop_last = false;
  const auto one = make(0, options, data), many = make(4, options, data);
  const auto expected = drain(*one, 2), actual = drain(*many, 2);
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    expect_same(actual[i], expected[i]);
    EXPECT_TRUE(actual[i].labels.ge(0).all().item<bool>());
    for (int64_t index : actual[i].indices) EXPECT_EQ(bad.count(index), 0u);
  }
  EXPECT_EQ(many->unreadable(), 3);
  drain(*many, 3);
  EXPECT_EQ(many->unreadable(), 3) << "an image is counted once";
}

TEST(Loader, AnUnreadableImageOfAnEvaluationIsMarked) {
  const auto loader = make(2, {}, std::make_shared<ToyDataset>(9, kSide, std::set<int64_t>{4}));
  const auto batches = drain(*loader, 0);
  EXPECT_EQ(batches[0].labels[4].item<int64_t>(), -1);
  EXPECT_EQ(batches[0].labels[5].item<int64_t>(), 1);
  EXPECT_EQ(batches[0].inputs[4].abs().sum().item<float>(), 0);
}

TEST(Loader, ASetOfDamagedImagesEndsInAnErrorAndNotInALoop) {
  std::set<int64_t> all;
  for (int64_t i = 0; i < 10; ++i) all.insert(i);
  const auto loader = make(2, training(), std::make_shared<ToyDataset>(10, kSide, all));
  EXPECT_THROW(drain(*loader, 0), Error);
}

class Failing : public ToyDataset {
 public:
  using ToyDataset::ToyDataset;
  Encoded read(int64_t i) const override {
    if (i == 30) throw std::runtime_error("disk on fire");
    return ToyDataset::read(i);
  }
};

// JPEGs of which number 5 ends too early: its header is intact, so that only decoding detects it.
class HalfAJpeg : public ToyDataset {
 public:
  using ToyDataset::ToyDataset;
  Encoded read(int64_t i) const override {
    auto file = as_jpeg(made_photo(60, 60, static_cast<uint64_t>(i)));
    if (i == 5) file.bytes = file.bytes.substr(0, file.bytes.size() * 3 / 4);
    return file;
  }
};

TEST(Loader, DamageThatOnlyDecodingNoticesIsTreatedTheSame) {
  const auto data = std::make_shared<HalfAJpeg>(10, kSide);
  TransformOptions options;
  options.size = 40;
  auto loading = training();
  loading.batch_size = 10;
  for (bool fast : {true, false}) {
    options.fast_decode = fast;
    Loader loader(make_image_reader(data, make_train_transform(options)), Sampler(10, true, 1),
                  loading);
    for (const auto& batch : drain(loader, 0)) {
      for (int64_t index : batch.indices) EXPECT_NE(index, 5);
    }
    EXPECT_EQ(loader.unreadable(), 1);
  }
  Loader loader(make_image_reader(data, make_eval_transform(options)), Sampler(10, false, 1),
                LoaderOptions{});
  const auto batches = drain(loader, 0);
  EXPECT_EQ(batches[5].labels.item<int64_t>(), -1);
  EXPECT_EQ(batches[5].inputs.abs().sum().item<float>(), 0);
  EXPECT_EQ(batches[6].labels.item<int64_t>(), 0);
}

TEST(Loader, UsesTheMemoryOfABatchAgainWhenItIsUnreferenced) {
  auto options = training();
  options.prefetch = 1;
  const auto loader = make(1, options);
  const auto expected = drain(*loader, 0);  // all are held: each has its own memory
  loader->start(0);
  std::set<const void*> places;
  at::Tensor view;
  Batch batch;
  for (int i = 0; loader->next(batch); ++i) {
    EXPECT_TRUE(torch::equal(batch.inputs, expected[i].inputs));
    places.insert(batch.inputs.data_ptr());
    if (i == 0) view = batch.inputs.select(0, 1);
  }
  EXPECT_LT(places.size(), expected.size());
  EXPECT_TRUE(torch::equal(view, expected[0].inputs[1])) << "a view keeps its batch";
}

TEST(Loader, AnExceptionOfAWorkerReachesTheCaller) {
  for (int workers : {0, 3}) {
    const auto loader = make(workers, {}, std::make_shared<Failing>(50, kSide));
    try {
      drain(*loader, 0);
      FAIL() << "no error";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "disk on fire");
    }
  }
}

// The message of the wf::Error that the first batch ends in.
std::string first_error(Loader& loader) {
  try {
    drain(loader, 0);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Loader, ABatchThatNoMemoryHoldsIsAnErrorThatNamesTheSettings) {
  for (int workers : {0, 3}) {
    TransformOptions transform;
    transform.size = 1 << 30;  // more bytes than 64 bits count, which no allocator is asked for
    LoaderOptions options;
    options.workers = workers;
    options.batch_size = 50;
    const auto data = std::make_shared<ToyDataset>(50, kSide);
    Loader loader(make_image_reader(data, make_eval_transform(transform)), Sampler(50, false, 1),
                  options);
    const auto message = first_error(loader);
    EXPECT_NE(message.find("[50, 3, 1073741824, 1073741824] takes 6.44245e+11 GiB"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("lower DATA.BATCH_SIZE or DATA.IMG_SIZE"), std::string::npos) << message;
  }
}

TEST(Loader, AnImageThatNoMemoryHoldsIsNamedWithTheSettingToLower) {
  class Large : public ToyDataset {
   public:
    using ToyDataset::ToyDataset;
    Encoded read(int64_t i) const override {
      if (i == 30) throw std::bad_alloc();
      return ToyDataset::read(i);
    }
  };
  for (int workers : {0, 3}) {
    const auto loader = make(workers, {}, std::make_shared<Large>(50, kSide));
    EXPECT_EQ(first_error(*loader),
              "toy 30: out of memory while it was read; lower DATA.NUM_WORKERS (" +
                  std::to_string(workers) + "), as each worker holds a sample");
  }
}

TEST(Loader, CanBeGivenUpAndStartedAgainAtAnyMoment) {
  const auto loader = make(3, training());
  const auto expected = drain(*loader, 1)[0];
  for (int i = 0; i < 20; ++i) {
    loader->start(0);
    Batch batch;
    if (i % 2) loader->next(batch);
  }
  expect_same(drain(*loader, 1)[0], expected);
  loader->start(0);  // the destructor meets working threads
}

// Sample 10, in the second batch of 8, does not come before the gate opens.
class Hanging : public ToyDataset {
 public:
  explicit Hanging(std::shared_ptr<Gate> gate) : ToyDataset(50, kSide), gate_(std::move(gate)) {}
  Encoded read(int64_t i) const override {
    if (i == 10) gate_->pass();
    return ToyDataset::read(i);
  }

 private:
  std::shared_ptr<Gate> gate_;
};

class LoaderStop : public ::testing::Test {
 protected:
  void TearDown() override { clear_stop_request(); }
  std::unique_ptr<Loader> hanging() {
    LoaderOptions options;
    options.stop_after = 0.3;
    return make(2, options, data_);
  }
  // Whether the worker that hung has let go of the data, once it may continue.
  bool released() {
    gate_->open();
    for (int i = 0; i < 1000 && data_.use_count() > 1; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return data_.use_count() == 1;
  }

  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::shared_ptr<const Dataset> data_ = std::make_shared<Hanging>(gate_);
};

TEST_F(LoaderStop, EndsTheWaitForASampleThatDoesNotCome) {
  auto loader = hanging();
  loader->start(0);
  Batch batch;
  ASSERT_TRUE(loader->next(batch));
  std::thread stopper([&] {
    gate_->wait_until_reached();
    request_stop();
  });
  try {
    loader->next(batch);
    ADD_FAILURE() << "no LoaderStopped";
  } catch (const LoaderStopped& stopped) {
    EXPECT_STREQ(stopped.what(),
                 "no batch came in 0.3 s after the run was asked to stop; still reading toy 10");
  }
  stopper.join();
  EXPECT_THROW(loader->start(1), Error);
  loader.reset();  // does not wait for the worker
  EXPECT_TRUE(released());
}

TEST_F(LoaderStop, EndsTheWaitOfTheDestructor) {
  auto loader = hanging();
  loader->start(0);
  gate_->wait_until_reached();
  request_stop();
  loader.reset();
  EXPECT_TRUE(released());
}

TEST_F(LoaderStop, DoesNotTouchBatchesThatArrive) {
  const auto plain = make(2, training());
  const auto expected = drain(*plain, 0);
  request_stop();
  const auto all = drain(*plain, 0);
  ASSERT_EQ(all.size(), expected.size());
  for (size_t i = 0; i < all.size(); ++i) expect_same(all[i], expected[i]);
}

}  // namespace
}  // namespace wf::testing
