// Compares sets of images by the figures that papers quote. See --help and docs/fid.md.

#include "weightformer/core/check.h"

#include "fid_inputs.h"
#include "tool.h"

using namespace wf;

int main(int argc, char** argv) {
  prepare_process(argv);
  CLI::App app(
      "Compares images with reference images: FID, sFID, inception score, precision, recall, KID.",
      "wf_fid");
  return run_tool(&app, [&] {
    FidRequest request;
    std::vector<std::string> explained;
    auto* samples = app.add_option("samples", request.samples,
                                   "directory of images, .npz of arr_0 or of statistics");
    app.add_option("reference", request.reference, "the same, to compare with");
    auto* weights =
        app.add_option("--weights", request.weights,
                       "Inception-v3 of the FID: .pth of pytorch-fid or torch-fidelity");
    app.add_option("--features", request.features,
                   "instead of --weights: a classifier of wf_train, whose features are compared")
        ->excludes(weights);
    app.add_option("--input", request.input,
                   "preprocessing: tensorflow (ADM's evaluator), pytorch (pytorch-fid)");
    app.add_option("--figures", request.figures, "comma-separated: fid, sfid, is, pr, kid");
    app.add_option("--save-stats", request.statistics,
                   "write the statistics of the samples (.npz)");
    app.add_option("--output", request.output, "write figures and settings as JSON");
    app.add_option("--batch-size", request.batch_size, "images at a time")
        ->check(CLI::Range(1, 4096));
    app.add_option("--device", request.device, "auto, cpu or cuda");
    app.add_option("--explain", explained, "two results: print the settings that differ")
        ->expected(2)
        ->excludes(samples);
    app.parse(argc, argv);
    if (!explained.empty()) return explain_results(explained[0], explained[1]);
    WF_CHECK(
        !request.samples.empty() && (!request.reference.empty() || !request.statistics.empty()),
        "give two sets of images, or one and --save-stats FILE; see --help");
    WF_CHECK(request.output.empty() || !request.reference.empty(), "--output ", request.output,
             ": there are no figures without a reference; --save-stats writes statistics");
    return compare_sets(request);
  });
}
