#include "engine/diffusion/sample_run.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/checksum.h"
#include "core/mapped_file.h"
#include "core/npy.h"
#include "core/stopwatch.h"
#include "core/zip_archive.h"
#include "engine/shards.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <optional>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kOrder = 0x6f72646572;  // stream of the order of balanced labels

ShardOptions shard_options(const SampleRunOptions& options) {
  return {options.directory, options.images, options.shard, ".npy",
          str(options.settings, "images: ", options.images, "\nshard: ", options.shard,
              "\nlabels: ", options.balanced ? "balanced" : "random", "\n")};
}

// `show` is called with the samples of the shard that are drawn, counted in steps of the sampler.
void draw_shard(const SampleGenerator& generator, const SampleRunOptions& options,
                const Shards& shards, int64_t shard, const std::vector<int64_t>& labels,
                const std::function<void(int64_t)>& show) {
  std::vector<int64_t> indices, own;
  for (int64_t i = 0; i < shards.size(shard); ++i) {
    indices.push_back(shards.begin(shard) + i);
    own.push_back(labels[indices.back()]);
  }
  auto samples = generator.draw(indices, own, [&](int64_t done, int64_t all) {
    require_not_stopped();
    show(shards.size(shard) * done / all);
  });
  WF_CHECK(samples.isfinite().all().item<bool>(), "the samples from ", indices.front(),
           " are not finite: the weights are corrupted, or the precision is too low (--amp)");
  if (options.codec) {
    samples = options.codec->decode(samples, require_not_stopped);
  } else if (!options.latents) {
    samples = to_bytes(samples);
  }
  if (samples.scalar_type() == torch::kByte) samples = samples.permute({0, 2, 3, 1}).contiguous();
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
      WF_CHECK(!header.shape.empty(), file.path(), ": a number, expected an array of samples");
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

void write_archive(const SampleRunOptions& options, const Shards& shards) {
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
  const Shards shards(shard_options(options));
  ranks.on_root("manifest", [&] { shards.prepare(); });
  const auto labels = sample_labels(options);
  const auto missing = shards.missing(ranks);
  const Stopwatch watch;
  int64_t drawn = 0, all = 0;
  for (const auto shard : missing) all += shards.size(shard);
  ProgressBar bar("sampling", all);
  for (size_t i = 0; i < missing.size(); ++i) {
    draw_shard(generator, options, shards, missing[i], labels,
               [&](int64_t done) { bar.show(drawn + done); });
    drawn += shards.size(missing[i]);
    const double seconds = watch.seconds();
    log::info("shard {}/{} of rank {}  {:.1f} images/s{}  eta {}", i + 1, missing.size(),
              ranks.rank(), static_cast<double>(drawn) / seconds,
              decoding_share(options.codec, seconds),
              clock_time(seconds / static_cast<double>(i + 1) *
                         static_cast<double>(missing.size() - i - 1)));
  }
  ranks.on_root("samples.npz", [&] {
    shards.wait_for_all();
    if (fs::exists(options.directory + "/samples.npz") && missing.empty()) {
      log::info("{}/samples.npz: complete, nothing to draw", options.directory);
    } else {
      write_archive(options, shards);
    }
  });
}

std::string decoding_share(const LatentCodec* codec, double seconds) {
  if (!codec || seconds <= 0) return "";
  return fmt::format("  decoding {:.0f} %", 100 * codec->decode_seconds() / seconds);
}

}  // namespace wf
