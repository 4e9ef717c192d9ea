// Times a model, its operators or the loader, one JSON line each. Needs only weightformer::core,
// except for the loader. See --help.

#include "weightformer/core/check.h"
#include "weightformer/core/memory.h"

#include "bench.h"
#ifdef WF_BENCH_WEIGHTS
#include "bench_rounds.h"
#endif

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

void bench(const BenchOptions& options, const std::vector<std::string>& words) {
#ifdef WF_BENCH_WEIGHTS
  if (!options.save.empty() || !options.compare.empty()) return bench_rounds(options, words);
#else
  WF_CHECK(options.save.empty() && options.compare.empty(), kNoFiles);
#endif
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
      std::cout << wf::bench_help();
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
    wf::bench(options, words);
    return 0;
  } catch (const wf::Error& problem) {
    return fail(problem.what(), problem.exit_code());
  } catch (const std::exception& problem) {
    return fail(problem.what(), wf::Error::kUnexpected);
  }
}
