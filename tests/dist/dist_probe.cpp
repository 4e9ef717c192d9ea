// One of several processes that check something together: wf_dist_probe CASE [TIMEOUT_S].
// Exit code 0: it holds. Started by process_test.cpp, or by hand under torchrun.

#include "weightformer/core/random.h"
#include "weightformer/models/model.h"
#include "weightformer/optim/optimizer.h"

#include "../../tools/tool.h"
#include "core/stopwatch.h"
#include "dist/data_parallel.h"
#include "dist/step_exchange.h"
#include "engine/build_data.h"
#include "engine/distributed.h"

#include <torch/cuda.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>

namespace wf {
namespace {

constexpr int64_t kBatch = 12, kSide = 16, kClasses = 4;

struct Probe {
  LaunchEnv env = read_launch_env();
  c10::Device device = c10::kCPU;
  std::shared_ptr<ProcessGroup> group;
  DataParallelOptions options;  // of speed
  int rounds = 9;               // of speed
};

std::shared_ptr<Classifier> make_model(uint64_t seed, const Probe& probe) {
  torch::manual_seed(seed);
  auto model = make_classifier(classifier_options("wfm_nano").num_classes(kClasses).patch_size(4));
  model->to(probe.device);
  model->train();
  return model;
}

struct Data {
  at::Tensor images, labels;
  Data part(const Probe& probe, int64_t of = 1, int64_t which = 0) const {
    const int64_t parts = probe.env.world * of, n = images.size(0) / parts;
    const int64_t at = (probe.env.rank * of + which) * n;
    return {images.narrow(0, at, n), labels.narrow(0, at, n)};
  }
};

Data make_data(const Probe& probe, int64_t step) {
  torch::manual_seed(100 + static_cast<uint64_t>(step));
  return {torch::randn({kBatch, 3, kSide, kSide}).to(probe.device),
          torch::randint(0, kClasses, {kBatch}, torch::kLong).to(probe.device)};
}

at::Tensor loss_of(Classifier& model, const Data& data) {
  return at::cross_entropy_loss(model.forward(data.images), data.labels);
}

double largest(const at::Tensor& x) {
  return x.defined() && x.numel() > 0 ? x.abs().max().item<double>() : 0;
}

// Over all parameters, relative to the largest element of the tensor, or to a thousandth of the
// largest of all where that is more: gradients that cancel to zero are only rounding errors.
double worst_difference(const torch::nn::Module& a, const torch::nn::Module& b, bool gradients) {
  const auto value = [&](const at::Tensor& x) { return gradients ? x.grad() : x.detach(); };
  const auto theirs = b.named_parameters();
  double worst = 0, floor = 0;
  for (const auto& item : theirs) floor = std::max(floor, 1e-3 * largest(value(item.value())));
  for (const auto& item : a.named_parameters()) {
    const auto x = value(item.value()), y = value(theirs[item.key()]);
    if (x.defined() != y.defined()) return INFINITY;
    if (!x.defined() || x.numel() == 0) continue;
    worst = std::max(worst, largest(x - y) / std::max({largest(y), floor, 1e-12}));
  }
  return worst;
}

// Trains the model of `parallel` on parts of batches and another one on full batches in this
// process only.
void same_as_one_process(const Probe& probe, const DataParallelOptions& options, int64_t accumulate,
                         double tolerance) {
  const auto single = make_model(0, probe), model = make_model(1 + probe.env.rank, probe);
  if (probe.env.rank == 0) {  // only rank 0 has the right weights; the others must receive them
    const torch::NoGradGuard no_grad;
    for (const auto& item : single->named_parameters()) {
      model->named_parameters()[item.key()].copy_(item.value());
    }
  }
  DataParallel parallel(*model, probe.group, options);
  WF_CHECK(worst_difference(*model, *single, false) == 0, "rank 0's weights did not arrive");
  const auto ours = make_optimizer({}, param_groups(*model, 0.05));
  const auto theirs = make_optimizer({}, param_groups(*single, 0.05));
  for (int64_t step = 0; step < 4; ++step) {
    const auto data = make_data(probe, step);
    theirs->zero_grad();
    loss_of(*single, data).backward();
    ours->zero_grad();
    for (int64_t micro = 0; micro < accumulate; ++micro) {
      const auto loss = loss_of(*model, data.part(probe, accumulate, micro)) / accumulate;
      parallel.backward(loss, micro + 1 == accumulate);
    }
    const double difference = worst_difference(*model, *single, true);
    if (probe.env.rank == 0) log::info("step {}: gradients differ by {:.2e}", step, difference);
    WF_CHECK(difference < tolerance, "step ", step, ": gradients differ by ", difference);
    WF_CHECK(parallel.own_backward_seconds() > 0, "no time was measured");
    // Both continue from the same weights, so that each step is compared separately.
    for (auto& item : single->named_parameters()) {
      item.value().mutable_grad() = model->named_parameters()[item.key()].grad().clone();
    }
    ours->step(1e-3);
    theirs->step(1e-3);
    WF_CHECK(worst_difference(*model, *single, false) < 1e-6, "weights differ");
  }
}

void unused_parameters(const Probe& probe) {
  const auto model = make_model(0, probe);
  DataParallelOptions options;
  options.find_unused = true;
  DataParallel parallel(*model, probe.group, options);
  for (int64_t step = 0; step < 2; ++step) {
    model->zero_grad();
    // A loss that reaches only one layer.
    parallel.backward(model->named_parameters()["head.weight"].sum() * (probe.env.rank + 1));
    const double expected = (probe.env.world + 1) / 2.0;
    const auto gradient = model->named_parameters()["head.weight"].grad();
    WF_CHECK((gradient == expected).all().item<bool>(), "expected ", expected);
  }
}

void overflow_reaches_all(const Probe& probe) {
  const auto model = make_model(0, probe);
  DataParallel parallel(*model, probe.group);
  const auto data = make_data(probe, 0).part(probe);
  const double factor = probe.env.rank == probe.env.world - 1 ? INFINITY : 1.0;
  parallel.backward(loss_of(*model, data) * factor);
  const auto norm = grad_norm(param_groups(*model, 0));
  WF_CHECK(!std::isfinite(norm.item<double>()), "the last rank's overflow did not arrive");
}

void other_shapes(const Probe& probe) {
  // As with another MODEL.NUM_CLASSES in one process.
  torch::nn::Linear layer(4, probe.env.rank == 1 ? 3 : 2);
  layer->to(probe.device);
  DataParallel parallel(*layer, probe.group);
}

void root_works_longer_than_the_timeout(const Probe& probe) {
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    probe.group->on_root("long save", [&] {
      ++runs;
      ::usleep(2'500'000);
    });
  }
  WF_CHECK(runs == (probe.env.rank == 0 ? 2 : 0), "ran ", runs, " times");
  probe.group->barrier();
}

void root_fails(const Probe& probe) {
  probe.group->on_root("save", [] { throw Error("the disk is full"); });
}

void stop_votes(const Probe& probe) {
  StepExchange exchange(probe.group);
  for (int step = 0; step < 3; ++step) {
    exchange.begin(step == 1 && probe.env.rank == probe.env.world - 1, 0.5 + probe.env.rank);
    const auto answer = exchange.finish();
    WF_CHECK(answer.stop == (step == 1), "step ", step, ": stop ", answer.stop);
    for (int rank = 0; rank < probe.env.world; ++rank) {
      WF_CHECK(answer.seconds[rank] == 0.5 + rank, "rank ", rank, ": ", answer.seconds[rank]);
    }
  }
  WF_CHECK(probe.group->broadcast(str("of rank ", probe.env.rank)) == "of rank 0", "broadcast");
  WF_CHECK(probe.group->broadcast("").empty(), "empty broadcast");
}

// Steps until it is killed from outside, or another process is.
void endless(const Probe& probe) {
  const auto model = make_model(0, probe);
  DataParallel parallel(*model, probe.group);
  const auto data = make_data(probe, 0).part(probe);
  for (int64_t step = 0;; ++step) {
    if (step == 3) log::info("rank {} is stepping", probe.env.rank);
    model->zero_grad();
    parallel.backward(loss_of(*model, data));
  }
}

void silent_rank(const Probe& probe) {
  if (probe.env.rank == 1) ::sleep(20);
  probe.group->barrier();
}

// Not a check: steps per second of this model trained together, against the same processes trained
// independently. Both in turn, because machines are noisy; the result is the median ratio. Also the
// time of the all-reduce without a backward pass to hide it.
void speed(const Probe& probe) {
  constexpr int kSteps = 2;
  constexpr int64_t kSpeedBatch = 8, kSpeedSide = 224;
  const auto model = create_classifier("wfm_tiny");
  model->to(probe.device);
  const auto optimizer = make_optimizer({}, param_groups(*model, 0.05));
  const auto images = torch::randn({kSpeedBatch, 3, kSpeedSide, kSpeedSide}).to(probe.device);
  const Data data{images, torch::zeros({kSpeedBatch}, torch::kLong).to(probe.device)};
  const auto seconds = [&](const std::function<void(const at::Tensor&)>& backward) {
    probe.group->barrier();
    const Stopwatch watch;
    for (int step = 0; step < kSteps; ++step) {
      optimizer->zero_grad();
      backward(loss_of(*model, data));
      optimizer->step(1e-5);
    }
    return watch.seconds();
  };
  const auto summed = [&](double own) {
    auto value = torch::full({1}, kSteps * kSpeedBatch / own, torch::kDouble);
    probe.group->sum(value);
    return value.item<double>();
  };
  const auto plain = [](const at::Tensor& loss) { loss.backward(); };
  seconds(plain);
  int64_t numbers = 0;
  for (const auto& parameter : model->parameters()) numbers += parameter.numel();
  auto gradients = torch::zeros({numbers}, torch::device(probe.device));
  std::vector<double> ratios;
  for (int round = 0; round < probe.rounds; ++round) {
    const double apart = summed(seconds(plain));
    DataParallel parallel(*model, probe.group,
                          probe.options);  // its hooks must not affect the other
    const auto averaged = [&](const at::Tensor& loss) { parallel.backward(loss); };
    seconds(averaged);
    const double together = summed(seconds(averaged));
    const Stopwatch watch;
    for (int step = 0; step < kSteps; ++step) probe.group->sum(gradients);
    const double exchange = watch.seconds();
    ratios.push_back(together / apart);
    if (probe.env.rank == 0) {
      log::info(
          "images/s apart {:.2f}, together {:.2f}, ratio {:.3f}; all-reduce only {:.4f} s per step",
          apart, together, ratios.back(), exchange / kSteps);
    }
  }
  std::sort(ratios.begin(), ratios.end());
  if (probe.env.rank == 0) log::info("median ratio {:.3f}", ratios[ratios.size() / 2]);
}

// Of the tar files in the directory WF_PROBE_DATA only rank 0, which comes last, makes the index.
void tars_are_indexed_once(const Probe& probe) {
  Distributed ranks(probe.group, {});
  DataSourceOptions source;
  source.path = std::getenv("WF_PROBE_DATA");
  if (probe.env.rank == 0) ::usleep(500'000);
  const auto images = open_on_all_ranks("training set", source, "train", {}, &ranks);
  log::info("{} images", images->size());
}

const std::map<std::string, std::function<void(const Probe&)>>& cases() {
  static const std::map<std::string, std::function<void(const Probe&)>> all{
      {"gradients", [](const Probe& p) { same_as_one_process(p, {}, 1, 1e-5); }},
      {"small_buckets",
       [](const Probe& p) {
         DataParallelOptions options;
         options.bucket_bytes = 4096;
         same_as_one_process(p, options, 1, 1e-5);
       }},
      {"accumulation", [](const Probe& p) { same_as_one_process(p, {}, 2, 1e-5); }},
      {"compressed",
       [](const Probe& p) {
         DataParallelOptions options;
         options.compress = true;
         same_as_one_process(p, options, 1, 0.02);
       }},
      {"unused", unused_parameters},
      {"overflow", overflow_reaches_all},
      {"shapes", other_shapes},
      {"long_root", root_works_longer_than_the_timeout},
      {"root_fails", root_fails},
      {"votes", stop_votes},
      {"tar_index", tars_are_indexed_once},
      {"endless", endless},
      {"silent", silent_rank},
      {"speed", speed},
  };
  return all;
}

}  // namespace
}  // namespace wf

int main(int argc, char** argv) {
  return wf::run_tool(nullptr, [&] {
    using namespace wf;
    at::set_num_threads(1);
    const auto found = cases().find(argc > 1 ? argv[1] : "");
    WF_CHECK(found != cases().end(), "wf_dist_probe CASE [TIMEOUT_S [BUCKET_MB [ROUNDS]]]");
    Probe probe;
    // NCCL needs a GPU per process; with one GPU that is a single process.
    if (static_cast<int>(torch::cuda::device_count()) >= probe.env.world) {
      probe.device = c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(probe.env.local_rank));
      at::globalContext().setAllowTF32CuDNN(false);
    }
    GroupOptions options;
    options.timeout =
        std::chrono::milliseconds(static_cast<int64_t>(1000 * (argc > 2 ? atof(argv[2]) : 60)));
    probe.group = std::make_shared<ProcessGroup>(probe.env, probe.device, options);
    if (argc > 3) probe.options.bucket_bytes = atoll(argv[3]) << 20;
    if (argc > 4) probe.rounds = std::max(1, atoi(argv[4]));
    found->second(probe);
    // No rank exits while another may still need it.
    probe.group->barrier();
    log::info("rank {} of {}: {} holds on {}", probe.env.rank, probe.env.world, found->first,
              probe.device.str());
    return 0;
  });
}
