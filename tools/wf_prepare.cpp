// Writes Fashion-MNIST as an image folder, the form that wf_train reads. See --help.

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "idx.h"
#include "tool.h"

#include <opencv2/imgcodecs.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace {

using namespace wf;
namespace fs = std::filesystem;

// By label (Xiao, Rasul, Vollgraf 2017).
const char* const kClasses[] = {"t_shirt", "trouser", "pullover", "dress", "coat",
                                "sandal",  "shirt",   "sneaker",  "bag",   "ankle_boot"};
constexpr int kClassCount = 10;

constexpr int kUpToAll = -1;

struct Arguments {
  std::string source = "/usr/share/datasets/fashion-mnist";  // Debian's dataset-fashion-mnist
  std::string output = "data/fashion-mnist", val_from = "test";
  int64_t train = kUpToAll, val = kUpToAll;
};

struct Pictures {
  Idx images;
  std::vector<std::vector<int64_t>> by_class;  // numbers of the pictures, ascending
  int64_t smallest_class = 0;
};

Pictures read_pictures(const std::string& source, const std::string& stem) {
  const std::string file = source + "/" + stem;
  Pictures pictures{read_idx(file + "-images-idx3-ubyte.gz", 3), {}};
  const auto labels = read_idx(file + "-labels-idx1-ubyte.gz", 1);
  WF_CHECK(labels.shape[0] == pictures.images.shape[0], file, ": ", pictures.images.shape[0],
           " pictures and ", labels.shape[0], " labels");
  pictures.by_class.resize(kClassCount);
  for (int64_t i = 0; i < labels.shape[0]; ++i) {
    const int label = labels.values[i];
    WF_CHECK(label < kClassCount, file, ": picture ", i, " has the label ", label);
    pictures.by_class[label].push_back(i);
  }
  const auto smallest =
      std::min_element(pictures.by_class.begin(), pictures.by_class.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  pictures.smallest_class = static_cast<int64_t>(smallest->size());
  return pictures;
}

// How many pictures of each class `--flag count` asks for, when `most` are there.
int64_t per_class(const char* flag, int64_t count, int64_t most) {
  if (count == kUpToAll) count = most * kClassCount;
  WF_CHECK(count > 0 && count % kClassCount == 0 && count / kClassCount <= most, "--", flag, " ",
           count, ": expected a multiple of ", kClassCount, " up to ", most * kClassCount);
  return count / kClassCount;
}

// Pictures begin … begin+count of each class, as FOLDER/CLASS/NNNNN.png.
void write_split(const Pictures& pictures, const std::string& folder, int64_t begin,
                 int64_t count) {
  const int rows = static_cast<int>(pictures.images.shape[1]);
  const int columns = static_cast<int>(pictures.images.shape[2]);
  for (int label = 0; label < kClassCount; ++label) {
    const std::string place = folder + "/" + kClasses[label];
    fs::create_directories(place);
    for (int64_t i = begin; i < begin + count; ++i) {
      const int64_t number = pictures.by_class[label][i];
      const uint8_t* pixels = &pictures.images.values[number * rows * columns];
      std::ostringstream file;
      file << place << "/" << std::setw(5) << std::setfill('0') << number << ".png";
      WF_CHECK(
          cv::imwrite(file.str(), cv::Mat(rows, columns, CV_8UC1, const_cast<uint8_t*>(pixels))),
          file.str(), ": cannot write (disk full?)");
    }
  }
}

int prepare(const Arguments& a) {
  // Written last: a folder without it was cut off half-way and is made anew.
  const std::string manifest = a.output + "/manifest.txt", unfinished = a.output + "/unfinished";
  const auto words = [](int64_t count) {
    return count == kUpToAll ? std::string("all") : std::to_string(count);
  };
  const std::string wanted = str("fashion-mnist train ", words(a.train), " val ", words(a.val),
                                 " from ", a.val_from, " of ", a.source, "\n");
  std::stringstream present;
  present << std::ifstream(manifest).rdbuf();
  if (present.str() == wanted) {
    std::cout << a.output << ": already there\n";
  } else {
    WF_CHECK(fs::exists(a.source + "/train-images-idx3-ubyte.gz"), a.source,
             ": no Fashion-MNIST here; Debian's package dataset-fashion-mnist has it, or name the "
             "folder with --source");
    const bool foreign = present.str().empty() && !fs::exists(unfinished) &&
                         (fs::exists(a.output + "/train") || fs::exists(a.output + "/val"));
    WF_CHECK(!foreign, a.output,
             ": holds pictures that this program did not write; choose another --output");
    const auto train = read_pictures(a.source, "train");
    const bool own_val = a.val_from == "test";
    WF_CHECK(own_val || a.val != kUpToAll, "--val-from train: say how many with --val");
    const auto test = own_val ? read_pictures(a.source, "t10k") : Pictures();
    const auto& held_out = own_val ? test : train;
    // Of the training pictures the last ones are held out: the same for any --train.
    const int64_t vals = per_class("val", a.val, held_out.smallest_class - !own_val);
    const int64_t trains = per_class("train", a.train, train.smallest_class - (own_val ? 0 : vals));
    fs::create_directories(a.output);
    write_text_file(unfinished, wanted);
    for (const char* part : {"manifest.txt", "train", "val"}) fs::remove_all(a.output + "/" + part);
    write_split(train, a.output + "/train", 0, trains);
    write_split(held_out, a.output + "/val", own_val ? 0 : held_out.smallest_class - vals, vals);
    write_text_file(manifest, wanted);
    fs::remove(unfinished);
    std::cout << a.output << ": " << trains * kClassCount << " training and " << vals * kClassCount
              << " validation pictures in " << kClassCount << " classes\n";
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
    app.option_defaults()->always_capture_default();
    app.add_option("--source", a.source, "folder with the four .gz files");
    app.add_option("--output", a.output, "folder to write");
    app.add_option("--train", a.train, "training pictures, the first of each class; else all");
    app.add_option("--val", a.val, "validation pictures, as many of each class; else all");
    app.add_option("--val-from", a.val_from, "test, or train: the last of the training pictures")
        ->check(CLI::IsMember({"test", "train"}));
    app.parse(argc, argv);
    return prepare(a);
  });
}
