#include "engine/diffusion/sample_run.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/checksum.h"
#include "core/mapped_file.h"
#include "core/npy.h"
#include "core/stopwatch.h"
#include "core/zip_archive.h"
#include "runtime/log.h"
#include "runtime/stop_signal.h"

#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kOrder = 0x6f72646572;  // stream of the order of balanced labels

class Shards {
 public:
  explicit Shards(const SampleRunOptions& options) : options_(options) {}

  int64_t count() const { return (options_.images + options_.shard - 1) / options_.shard; }
  int64_t begin(int64_t shard) const { return shard * options_.shard; }
  int64_t size(int64_t shard) const {
    return std::min(options_.shard, options_.images - begin(shard));
  }
  std::string directory() const { return options_.directory + "/shards"; }
  std::string path(int64_t shard) const {
    return fmt::format("{}/{:06}.npy", directory(), begin(shard));
  }
  bool exists(int64_t shard) const { return fs::exists(path(shard)); }

 private:
  const SampleRunOptions& options_;
};

std::string manifest_text(const SampleRunOptions& options) {
  return str(options.settings, "images: ", options.images, "\nshard: ", options.shard,
             "\nlabels: ", options.balanced ? "balanced" : "random", "\n");
}

// Throws unless both have the same lines.
void require_same(const std::string& saved, const std::string& now, const std::string& path) {
  std::istringstream before(saved), after(now);
  std::string was, is;
  while (true) {
    const bool more = static_cast<bool>(std::getline(before, was));
    const bool also = static_cast<bool>(std::getline(after, is));
    if (!more && !also) return;
    WF_CHECK(more && also && was == is, path, ": holds samples with other settings: '",
             more ? was : "", "', now '", also ? is : "",
             "'; set it back, or choose another --output");
  }
}

// Prepares the output directory.
void prepare(const SampleRunOptions& options, const Shards& shards) {
  std::error_code problem;
  fs::create_directories(shards.directory(), problem);
  WF_CHECK(!problem, shards.directory(), ": cannot create the directory: ", problem.message());
  const auto path = options.directory + "/manifest.txt", text = manifest_text(options);
  if (fs::exists(path)) {
    std::stringstream saved;
    saved << std::ifstream(path).rdbuf();
    require_same(saved.str(), text, path);
  } else {
    WF_CHECK(fs::is_empty(shards.directory()), shards.directory(),
             ": holds samples with unknown settings (no manifest.txt): choose another "
             "--output");
    write_text_file(path, text);
  }
  // Incomplete files of a killed process.
  for (const auto& entry : fs::directory_iterator(shards.directory())) {
    if (entry.path().extension() != ".npy") fs::remove(entry.path(), problem);
  }
}

void draw_shard(const SampleGenerator& generator, const SampleRunOptions& options,
                const Shards& shards, int64_t shard, const std::vector<int64_t>& labels) {
  std::vector<int64_t> indices, own;
  for (int64_t i = 0; i < shards.size(shard); ++i) {
    indices.push_back(shards.begin(shard) + i);
    own.push_back(labels[indices.back()]);
  }
  const auto on_step = [](int64_t, int64_t) {
    if (stop_requested()) throw Error("stopped; the same command continues");
  };
  auto samples = generator.draw(indices, own, on_step);
  WF_CHECK(samples.isfinite().all().item<bool>(), "the samples from ", indices.front(),
           " are not finite: the weights are corrupted, or the precision is too low (--amp)");
  if (!options.latents) samples = to_bytes(samples).permute({0, 2, 3, 1}).contiguous();
  write_npy(shards.path(shard), samples);
}

// The array that the shards are concatenated to.
struct Archive {
  std::string header;
  uint64_t size = 0;  // bytes, header included
  uint32_t crc = 0;
};

// Reads every shard once; an invalid one is deleted, so that it is drawn again.
Archive add_up(const SampleRunOptions& options, const Shards& shards) {
  Archive archive;
  std::optional<NpyHeader> first;
  for (int64_t i = 0; i < shards.count(); ++i) {
    const MappedFile file(shards.path(i));
    try {
      const auto header = parse_npy(file.bytes(), file.path());
      if (!first) {
        first = header;
        auto shape = header.shape;
        shape[0] = options.images;
        archive.header = npy_header(header.type, shape);
        archive.crc = checksum(archive.header);
        archive.size = archive.header.size();
      }
      auto expected = first->shape;
      expected[0] = shards.size(i);
      WF_CHECK(header.shape == expected && header.type == first->type, file.path(), ": an array ",
               at::IntArrayRef(header.shape), ", expected ", at::IntArrayRef(expected));
      const auto data = file.bytes().substr(header.data);
      archive.crc = checksum_of_both(archive.crc, checksum(data), data.size());
      archive.size += data.size();
    } catch (const Error& problem) {
      fs::remove(file.path());
      throw Error(str(problem.what(), "; it was removed: run the same command again"));
    }
  }
  return archive;
}

void write_npz(const SampleRunOptions& options, const Shards& shards) {
  const auto path = options.directory + "/samples.npz";
  const auto archive = add_up(options, shards);
  AtomicFile out(path);
  ZipWriter zip(out, options.zip64_from);
  zip.begin("arr_0.npy", archive.size, archive.crc);
  zip.append(archive.header);
  for (int64_t i = 0; i < shards.count(); ++i) {
    const MappedFile file(shards.path(i));
    zip.append(file.bytes().substr(parse_npy(file.bytes(), file.path()).data));
  }
  zip.finish();
  out.commit();
  log::info("{}: {} samples", path, options.images);
}

// The other ranks write into the same directory.
void wait_for_all(const Shards& shards) {
  for (int64_t i = 0; i < shards.count();) {
    if (shards.exists(i)) {
      ++i;
      continue;
    }
    if (stop_requested()) throw Error("stopped; the same command continues");
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace

std::vector<int64_t> sample_labels(const SampleRunOptions& options) {
  std::vector<int64_t> labels(options.images);
  for (int64_t i = 0; i < options.images; ++i) {
    labels[i] = random_label(options.seed, i, options.classes);
  }
  if (!options.balanced) return labels;
  const auto order = permutation(options.images, CounterRng{options.seed, kOrder});
  for (int64_t i = 0; i < options.images; ++i) labels[i] = order[i] % options.classes;
  return labels;
}

void run_samples(const SampleGenerator& generator, const SampleRunOptions& options,
                 Distributed& ranks) {
  const Shards shards(options);
  ranks.on_root("manifest", [&] { prepare(options, shards); });
  const auto labels = sample_labels(options);
  std::vector<int64_t> missing;
  for (int64_t i = ranks.rank(); i < shards.count(); i += ranks.world()) {
    if (!shards.exists(i)) missing.push_back(i);
  }
  const Stopwatch watch;
  int64_t drawn = 0;
  for (size_t i = 0; i < missing.size(); ++i) {
    draw_shard(generator, options, shards, missing[i], labels);
    drawn += shards.size(missing[i]);
    const double seconds = watch.seconds();
    log::info("shard {}/{} of rank {}  {:.1f} images/s  eta {}", i + 1, missing.size(),
              ranks.rank(), static_cast<double>(drawn) / seconds,
              clock_time(seconds / static_cast<double>(i + 1) *
                         static_cast<double>(missing.size() - i - 1)));
  }
  ranks.on_root("samples.npz", [&] {
    wait_for_all(shards);
    if (fs::exists(options.directory + "/samples.npz") && missing.empty()) {
      log::info("{}/samples.npz: complete, nothing to draw", options.directory);
    } else {
      write_npz(options, shards);
    }
  });
}

}  // namespace wf
