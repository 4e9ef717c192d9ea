// Packs images into one file that wf_train reads; lists or verifies such a file.

#include "weightformer/core/check.h"

#include "data/sources/open_dataset.h"
#include "data/sources/pack.h"
#include "pack_contents.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"
#include "tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

namespace {

using namespace wf;

struct PackInput {
  std::string path, labels, subset, class_map;
};

std::shared_ptr<Dataset> open_input(const PackInput& input) {
  DataSourceOptions options;
  options.train = {input.path, input.labels, input.subset};
  options.class_map = input.class_map;
  return open_dataset(options, "train");
}

int make(PackInput from, const std::string& output, PackOptions options) {
  auto& input = from.path;
  while (input.size() > 1 && input.back() == '/') input.pop_back();
  std::error_code ignored;
  WF_CHECK(!std::filesystem::equivalent(input, output, ignored), output,
           ": is the input; choose another --output");
  const auto images = open_input(from);
  options.root = input;
  auto bar = std::make_unique<ProgressBar>(output, images->size());
  options.progress = [&](int64_t done, int64_t) { bar->show(done); };
  const auto report = pack(*images, output, options);
  bar.reset();
  for (const auto& problem : report.skipped) log::warning("left out: {}", problem);
  std::cout << fmt::format(
      "{}: {} images in {} classes, {} of them reduced, {:.1f} MB; {} unreadable ones left out\n",
      output, report.packed, images->classes().size(), report.reduced,
      static_cast<double>(report.bytes) / 1e6, report.skipped.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Packs the images of a directory, tar files, a zip archive with its map, or a packed file "
      "into one file; "
      "wf_train reads train.wfpack and val.wfpack in DATA.DATA_PATH automatically.");
  return wf::run_tool(&app, [&] {
    PackInput input;
    std::string output, listed, verified;
    wf::PackOptions options;
    options.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    auto* from = app.add_option("--input", input.path,
                                "DIRECTORY/train, train.zip, train.wfpack, train.tar or "
                                "train-{000..146}.tar");
    app.add_option("--labels", input.labels, "classes of images in tar files, see DATA.VAL_LABELS");
    app.add_option("--class-map", input.class_map, "see DATA.CLASS_MAP");
    app.add_option("--subset", input.subset, "names of the images to pack, see DATA.TRAIN_SUBSET");
    auto* to = app.add_option("--output", output, "output file, such as DIRECTORY/train.wfpack");
    app.add_option("--side", options.side,
                   "maximum of the shorter side, larger images are reduced; 0: keep all bytes")
        ->check(CLI::Range(0, 16384));
    app.add_option("--quality", options.quality, "JPEG quality of reduced images (90)")
        ->check(CLI::Range(1, 100));
    app.add_option("--threads", options.threads, "threads that reduce images")
        ->check(CLI::Range(1, 1024));
    app.add_option("--list", listed, "print name, class and bytes of the images in a packed file");
    app.add_option("--verify", verified, "verify all checksums of a packed file");
    from->needs(to);
    to->needs(from);
    app.parse(argc, argv);
    WF_CHECK(input.path.empty() + listed.empty() + verified.empty() == 2,
             "give one of --input with --output, --list, --verify; see --help");
    if (!listed.empty()) return wf::list_pack(listed);
    return input.path.empty() ? wf::verify_pack(verified) : make(input, output, options);
  });
}
