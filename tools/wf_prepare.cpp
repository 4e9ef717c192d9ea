// Writes Fashion-MNIST as an image folder, the form that wf_train reads. See --help.

#include "weightformer/checkpoint/atomic_file.h"
#include "weightformer/core/check.h"

#include "idx.h"
#include "tool.h"

#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

using namespace wf;
namespace fs = std::filesystem;

// By label (Xiao, Rasul, Vollgraf 2017).
const char* const kClasses[] = {"t_shirt", "trouser", "pullover", "dress", "coat",
                                "sandal",  "shirt",   "sneaker",  "bag",   "ankle_boot"};
constexpr int kClassCount = 10;

struct Arguments {
  std::string source = "/usr/share/datasets/fashion-mnist";  // Debian's dataset-fashion-mnist
  std::string output = "data/fashion-mnist";
  int64_t train = 60000, val = 10000;
};

// The first `count` pictures with the classes in equal number, as OUT/SPLIT/CLASS/NNNNN.png.
void write_split(const Arguments& a, const std::string& stem, const std::string& split,
                 int64_t count) {
  const auto images = read_idx(a.source + "/" + stem + "-images-idx3-ubyte.gz", 3);
  const auto labels = read_idx(a.source + "/" + stem + "-labels-idx1-ubyte.gz", 1);
  const int64_t total = images.shape[0];
  const int rows = static_cast<int>(images.shape[1]), columns = static_cast<int>(images.shape[2]);
  WF_CHECK(labels.shape[0] == total, a.source, ": ", total, " pictures and ", labels.shape[0],
           " labels in ", stem);
  WF_CHECK(count % kClassCount == 0 && count > 0 && count <= total, "--", split, " ", count,
           ": expected a multiple of ", kClassCount, " up to ", total);
  for (const auto* name : kClasses) fs::create_directories(a.output + "/" + split + "/" + name);
  std::vector<int64_t> written(kClassCount);
  for (int64_t i = 0; i < total; ++i) {
    const int label = labels.values[i];
    WF_CHECK(label < kClassCount, a.source, ": label ", label, " in ", stem);
    if (written[label]++ >= count / kClassCount) continue;
    const cv::Mat picture(rows, columns, CV_8UC1,
                          const_cast<uint8_t*>(&images.values[i * rows * columns]));
    std::ostringstream file;
    file << a.output << "/" << split << "/" << kClasses[label] << "/";
    file << std::string(5 - std::to_string(i).size(), '0') << i << ".png";
    WF_CHECK(cv::imwrite(file.str(), picture), file.str(), ": cannot write (disk full?)");
  }
}

int prepare(const Arguments& a) {
  // Written last: a folder without it was cut off half-way and is made anew.
  const std::string manifest = a.output + "/manifest.txt";
  const std::string wanted = str("fashion-mnist train ", a.train, " val ", a.val, "\n");
  std::stringstream present;
  present << std::ifstream(manifest).rdbuf();
  if (present.str() == wanted) {
    std::cout << a.output << ": already there\n";
  } else {
    WF_CHECK(fs::exists(a.source + "/train-images-idx3-ubyte.gz"), a.source,
             ": no Fashion-MNIST here; Debian's package dataset-fashion-mnist has it, or name the "
             "folder with --source");
    WF_CHECK(present.str().empty()
                 ? !fs::exists(a.output + "/train") || fs::exists(a.output + "/unfinished")
                 : true,
             a.output, ": holds pictures that this program did not write; choose another --output");
    fs::create_directories(a.output);
    write_text_file(a.output + "/unfinished", wanted);
    for (const char* part : {"train", "val", "manifest.txt"}) fs::remove_all(a.output + "/" + part);
    write_split(a, "train", "train", a.train);
    write_split(a, "t10k", "val", a.val);
    write_text_file(manifest, wanted);
    fs::remove(a.output + "/unfinished");
    std::cout << a.output << ": " << a.train << " training and " << a.val
              << " validation pictures in 10 classes\n";
  }
  std::cout
      << "Train on it with --data-path " << a.output
      << "; for ImageNet give a folder with train/CLASS/*.JPEG and val/CLASS/*.JPEG instead.\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Writes Fashion-MNIST (70,000 photographs of shop articles, MIT licence) as an image "
      "folder for wf_train.");
  return wf::run_tool(&app, [&] {
    Arguments a;
    app.add_option("--source", a.source, "folder with the four .gz files");
    app.add_option("--output", a.output, "folder to write");
    app.add_option("--train", a.train, "training pictures, of the 60,000");
    app.add_option("--val", a.val, "validation pictures, of the 10,000 held-out ones");
    app.parse(argc, argv);
    return prepare(a);
  });
}
