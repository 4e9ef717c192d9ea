// Writes Fashion-MNIST as an image directory for wf_train. See --help.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "fashion_mnist.h"
#include "tool.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

using namespace wf;
namespace fs = std::filesystem;

struct Arguments {
  std::string source = "/usr/share/datasets/fashion-mnist";  // Debian's dataset-fashion-mnist
  std::string output = "data/fashion-mnist", val_from = "test";
  int64_t train = kAllImages, val = kAllImages;
};

// Writes both splits from scratch. `wanted` becomes the manifest, which is written last: a
// directory without it is incomplete.
void write_directory(const Arguments& a, const std::string& wanted) {
  const std::string unfinished = a.output + "/unfinished";
  const auto train = read_fashion_mnist(a.source, "train");
  const bool own_val = a.val_from == "test";
  WF_CHECK(own_val || a.val != kAllImages, "--val-from train needs --val N");
  const auto test = own_val ? read_fashion_mnist(a.source, "t10k") : FashionMnist();
  const auto& held_out = own_val ? test : train;
  // The last training images are held out: the same for any --train.
  const int64_t vals = images_per_class("val", a.val, held_out.smallest_class - !own_val);
  const int64_t trains =
      images_per_class("train", a.train, train.smallest_class - (own_val ? 0 : vals));
  fs::create_directories(a.output);
  write_text_file(unfinished, wanted);
  for (const char* part : {"manifest.txt", "train", "val"}) fs::remove_all(a.output + "/" + part);
  write_split(train, a.output + "/train", 0, trains);
  write_split(held_out, a.output + "/val", own_val ? 0 : held_out.smallest_class - vals, vals);
  write_text_file(a.output + "/manifest.txt", wanted);
  fs::remove(unfinished);
  std::cout << a.output << ": " << trains * kFashionClasses << " training and "
            << vals * kFashionClasses << " validation images in " << kFashionClasses
            << " classes\n";
}

int prepare(const Arguments& a) {
  const auto words = [](int64_t count) {
    return count == kAllImages ? std::string("all") : std::to_string(count);
  };
  const std::string wanted = str("fashion-mnist train ", words(a.train), " val ", words(a.val),
                                 " from ", a.val_from, " of ", a.source, "\n");
  std::stringstream present;
  present << std::ifstream(a.output + "/manifest.txt").rdbuf();
  if (present.str() == wanted) {
    std::cout << a.output << ": already there\n";
  } else {
    WF_CHECK(fs::exists(a.source + "/train-images-idx3-ubyte.gz"), a.source,
             ": no Fashion-MNIST here; Debian's package dataset-fashion-mnist has it, or name the "
             "directory with --source");
    const bool foreign = present.str().empty() && !fs::exists(a.output + "/unfinished") &&
                         (fs::exists(a.output + "/train") || fs::exists(a.output + "/val"));
    WF_CHECK(!foreign, a.output,
             ": holds images that this program did not write; choose another --output");
    write_directory(a, wanted);
  }
  std::cout
      << "Train on it with --data-path " << a.output
      << "; for ImageNet give a directory with train/CLASS/*.JPEG and val/CLASS/*.JPEG instead.\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Writes Fashion-MNIST (70,000 images of clothing, MIT license) as an image "
      "directory for wf_train.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.option_defaults()->always_capture_default();
    app.add_option("--source", a.source, "directory with the four .gz files");
    app.add_option("--output", a.output, "output directory");
    app.add_option("--train", a.train,
                   "number of training images, the first of each class; default: all");
    app.add_option("--val", a.val,
                   "number of validation images, equally many per class; default: all");
    app.add_option("--val-from", a.val_from, "test, or train: the last training images")
        ->check(CLI::IsMember({"test", "train"}));
    app.parse(argc, argv);
    return prepare(a);
  });
}
