// Times a model, its operators or the loader, one JSON line each. Needs only weightformer::core,
// except for the loader. See --help.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "bench.h"

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <iostream>

namespace wf {

void synchronize(c10::Device device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

namespace {

constexpr const char* kHelp =
    R"(wf_bench: times a model, or its operators, on random numbers; or the loader.
  --model NAME           the model, see below (wfm_tiny)
  --mode infer|train     train: forward, loss, backward, clipping, AdamW (infer); the loss of a
                         DiT is the mean square of its output minus noise
  --batch B --size PX    images or latents per step, their side (8; that of the model)
  --dtype T              float32, or bfloat16 or float16 in mixed precision (float32)
  --residual R           tokens between layers: float32, amp_dtype, autocast (float32)
  --device D --threads N (cpu, 2)
  --steps N --warmup N   timed and untimed steps (5, 2)
  --dynamic-linear M     auto, factored, merged, reference (auto)
  --weights FILE         .pth, .safetensors or a checkpoint (random weights)
  --load                 time only the loading of that file
  --unverified           with --load: without verifying checksums
  --phases               with train: time of forward, backward and rest, for wf_scale
  --floor                only the matrix products of the step: time, rate, share of the step
  --traffic              operators of a step that move memory: calls and megabytes of each;
                         with --device meta what each block would do on a GPU, predicted
  --trace FILE           operators and kernels of one step, for ui.perfetto.dev
  --sweep resolution     one line for each of several sides: seconds per token
  --ops                  one line for each operator and its ATen reference
  --data DIRECTORY       the loader on the images in it, images per second of CPU time: random
                         crop and flip (crop), the full recipe, the transform of evaluation (eval);
                         with --model also the fraction of a step that waits (data_wait)
  --workers N            decoder threads; 0: the training thread (1)
  --images N --passes N  at most N images, N times (512, 3)
Prints images_per_s_best and _median, and peak_mib: the process's memory, or the GPU allocator's.
Models:
)";

void bench(const BenchOptions& options) {
  if (!options.data.empty()) return bench_data(options);
  if (options.ops) return bench_ops(options);
  if (!options.load) return bench_model(options);
#ifdef WF_BENCH_WEIGHTS
  bench_load(options);
#else
  throw Error(kNoFiles);
#endif
}

}  // namespace
}  // namespace wf

int main(int argc, char** argv) {
  const auto fail = [](const std::string& what, int code) {
    std::cerr << "error: " << what.substr(0, what.find('\n')) << std::endl;
    return code;
  };
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && (words[0] == "--help" || words[0] == "-h")) {
      std::cout << wf::kHelp << wf::bench_models() << "\n";
      return 0;
    }
    if (!words.empty() && words[0] == "--version") {
      std::cout << "weightformer " WF_VERSION "\nLibTorch " TORCH_VERSION "\n";
      return 0;
    }
    const auto options = wf::parse_bench_flags(words);
    wf::keep_freed_memory();  // as in wf_train and wf_infer
    at::set_num_threads(static_cast<int>(options.threads));
    torch::manual_seed(0);
    wf::bench(options);
    return 0;
  } catch (const wf::Error& problem) {
    return fail(problem.what(), problem.exit_code());
  } catch (const std::exception& problem) {
    return fail(problem.what(), wf::Error::kUnexpected);
  }
}
