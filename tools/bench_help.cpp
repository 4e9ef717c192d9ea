#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "bench.h"
#include "core/registry.h"

namespace wf {
namespace {

constexpr const char* kBenchHelp =
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
  --save FILE            measure --rounds times; settings, machine and all figures as JSON
  --compare FILE|PROGRAM is this build slower? Against the wf_bench of another build in turn, or
                         against a file of --save: ratio of each figure, its range, a verdict
  --rounds N             how often (9); a verdict needs 8 in turn, or 5 against a file
Prints images_per_s_best and _median, and peak_mib: the process's memory, or the GPU allocator's.
Models:
)";

}  // namespace

std::string bench_help() {
  return kBenchHelp + join(classifier_names(), ", ") + ",\n" + join(dit_names(), ", ") + "\n";
}

}  // namespace wf
