// Times a model, its operators or the loader, one JSON line each. Needs weightformer::core
// alone, but for the loader. See --help.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "bench.h"

#include <torch/cuda.h>
#include <torch/torch.h>

#include <iostream>

namespace wf {

c10::ScalarType BenchOptions::type() const {
  if (dtype == "bfloat16") return at::kBFloat16;
  if (dtype == "float16") return at::kHalf;
  WF_CHECK(dtype == "float32", "--dtype: expected float32, bfloat16 or float16, got ", dtype);
  return at::kFloat;
}

void synchronize(c10::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

namespace {

constexpr const char* kHelp =
    R"(wf_bench: times a model, or its operators, on random numbers; or the loader.
  --model NAME           wfm_tiny, wfm_small, wfm_base, wfm_nano, or dit_s_2, dit_s_4, dit_s_8,
                         dit_b_2, dit_b_4, dit_b_8, dit_nano (wfm_tiny)
  --mode infer|train     train: forward, loss, backward, clipping, AdamW (infer); the loss of a
                         DiT is the mean square of its output less noise
  --batch B --size PX    pictures or latents a step, their side (8; the model's own)
  --dtype T              float32, or bfloat16 or float16 by autocast (float32)
  --device D --threads N (cpu, 2)
  --steps N --warmup N   timed and untimed steps (5, 2)
  --dynamic-linear M     auto, factored, merged, reference (auto)
  --weights FILE         .pth, .safetensors or a checkpoint (fresh random weights)
  --load                 times reading that file, nothing else
  --unverified           with --load: without comparing its checksums
  --phases               with train: what of a step is forward, backward and rest, for wf_scale
  --sweep resolution     one line for each of several sides: seconds a token
  --ops                  one line for each operator and its ATen reference
  --data FOLDER          the loader on the pictures below it: per second of CPU time, by random
                         crop and flip (crop), by the whole recipe, by the transform of evaluation
                         (eval); with --model also the share of a step that waits (data_wait)
  --workers N            its threads; 0: the one that trains (1)
  --images N --passes N  at most so many pictures, so many times (512, 3)
Prints images_per_s_best and _median, and peak_mib: the process's memory, or the GPU allocator's.
)";

BenchOptions parse(int argc, char** argv) {
  BenchOptions o;
  const std::pair<const char*, std::string*> words[] = {
      {"--model", &o.model},   {"--mode", &o.mode},      {"--dtype", &o.dtype},
      {"--device", &o.device}, {"--sweep", &o.sweep},    {"--dynamic-linear", &o.dynamic_linear},
      {"--data", &o.data},     {"--weights", &o.weights}};
  const std::pair<const char*, int64_t*> numbers[] = {
      {"--batch", &o.batch},   {"--size", &o.size},       {"--steps", &o.steps},
      {"--warmup", &o.warmup}, {"--threads", &o.threads}, {"--workers", &o.workers},
      {"--images", &o.images}, {"--passes", &o.passes}};
  const std::pair<const char*, bool*> switches[] = {{"--ops", &o.ops},
                                                    {"--load", &o.load},
                                                    {"--unverified", &o.unverified},
                                                    {"--phases", &o.phases}};
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    bool on = false;
    for (const auto& [name, to] : switches) {
      if (flag == name) *to = on = true;
    }
    if (on) continue;
    WF_CHECK(i + 1 < argc, flag, ": unknown, or its value is missing; --help lists the flags");
    const std::string value = argv[++i];
    bool known = false;
    for (const auto& [name, to] : words) {
      if (flag == name) *to = value, known = true;
    }
    for (const auto& [name, to] : numbers) {
      if (flag != name) continue;
      WF_CHECK(!value.empty() && value.size() < 10 &&
                   value.find_first_not_of("0123456789") == std::string::npos,
               flag, ": expected a number, got ", value);
      *to = std::stoll(value);
      known = true;
    }
    o.model_given |= flag == "--model";
    WF_CHECK(known, "unknown flag ", flag, "; --help lists the flags");
  }
  WF_CHECK(o.mode == "infer" || o.mode == "train", "--mode: expected infer or train, got ", o.mode);
  WF_CHECK(o.sweep.empty() || o.sweep == "resolution", "--sweep: expected resolution, got ",
           o.sweep);
  WF_CHECK(o.batch > 0 && o.steps > 0 && o.threads > 0, "--batch, --steps, --threads: at least 1");
  WF_CHECK(!o.phases || o.mode == "train", "--phases: they are those of --mode train");
  WF_CHECK(!o.load || !o.weights.empty(), "--load: which file? Give it with --weights");
  return o;
}

}  // namespace
}  // namespace wf

int main(int argc, char** argv) {
  if (argc > 1 && (argv[1] == std::string("--help") || argv[1] == std::string("-h"))) {
    std::cout << wf::kHelp;
    return 0;
  }
  try {
    const auto options = wf::parse(argc, argv);
    wf::keep_freed_memory();  // as wf_train and wf_infer do
    at::set_num_threads(static_cast<int>(options.threads));
    torch::manual_seed(0);
    if (!options.data.empty()) {
      wf::bench_data(options);
    } else if (options.load) {
#ifdef WF_BENCH_WEIGHTS
      wf::bench_load(options);
#else
      throw wf::Error(wf::kNoFiles);
#endif
    } else {
      options.ops ? wf::bench_ops(options) : wf::bench_model(options);
    }
    return 0;
  } catch (const wf::Error& problem) {
    std::cerr << "error: " << problem.what() << std::endl;
    return problem.exit_code();
  } catch (const std::exception& problem) {
    const std::string what = problem.what();
    std::cerr << "error: " << what.substr(0, what.find('\n')) << std::endl;
    return wf::Error::kUnexpected;
  }
}
