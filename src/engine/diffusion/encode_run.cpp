#include "engine/diffusion/encode_run.h"

#include "weightformer/core/check.h"
#include "weightformer/data/loader.h"

#include "core/checksum.h"
#include "core/npz.h"
#include "core/stopwatch.h"
#include "data/image_reader.h"
#include "data/sources/describe_dataset.h"
#include "data/sources/packed_latents.h"
#include "data/transforms.h"
#include "engine/diffusion/diffusion_data.h"
#include "engine/shards.h"
#include "runtime/log.h"
#include "runtime/progress_bar.h"

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

namespace wf {
namespace {

namespace fs = std::filesystem;

std::string settings_of(const Dataset& images, const LatentCodec& codec,
                        const EncodeRunOptions& options) {
  return str(codec.settings(), "crop: center of ADM (box halvings, bicubic), ", options.size,
             " pixels\nmirrored: ", options.flipped ? "yes" : "no",
             "\nnumbers: ", options.half ? "float16" : "float32", "\nsource: ", images.size(),
             " images in ", images.classes().size(), " classes, ",
             fmt::format("{:08x}", checksum(describe_dataset(images))), "\n");
}

PackedLatentsInfo info_of(const Dataset& images, const LatentCodec& codec,
                          const EncodeRunOptions& options) {
  const auto& vae = codec.autoencoder().options;
  PackedLatentsInfo info;
  info.channels = codec.channels();
  info.side = options.size / codec.reduction();
  info.planes = options.flipped ? 4 : 2;
  info.type = options.half ? at::kHalf : at::kFloat;
  info.scale = vae.scaling();
  info.shift = vae.shift();
  info.classes = images.classes();
  info.origin = settings_of(images, codec, options);
  return info;
}

// The images of this rank's missing parts, one part after another.
class PartLoader {
 public:
  PartLoader(std::shared_ptr<const Dataset> images, const Shards& parts,
             const std::vector<int64_t>& missing, const EncodeRunOptions& options)
      : loader_(
            chosen_samples(make_image_reader(std::move(images), transform(options), /*bytes=*/true),
                           numbers(parts, missing)),
            Sampler(count(parts, missing), /*shuffle=*/false, /*seed=*/0),
            loader_options(options)) {
    loader_.start(0);
  }
  bool next(Batch& batch) { return loader_.next(batch); }
  double wait_seconds() const { return loader_.wait_seconds(); }

 private:
  static std::shared_ptr<const Transform> transform(const EncodeRunOptions& options) {
    TransformOptions out;
    out.size = static_cast<int>(options.size);
    out.hflip = 0;
    return make_center_crop_transform(out);
  }
  static LoaderOptions loader_options(const EncodeRunOptions& options) {
    LoaderOptions out;
    out.batch_size = options.batch_size;
    out.workers = options.workers;
    return out;
  }
  static std::vector<int64_t> numbers(const Shards& parts, const std::vector<int64_t>& missing) {
    std::vector<int64_t> out;
    for (const auto part : missing) {
      for (int64_t i = 0; i < parts.size(part); ++i) out.push_back(parts.begin(part) + i);
    }
    return out;
  }
  static int64_t count(const Shards& parts, const std::vector<int64_t>& missing) {
    return static_cast<int64_t>(numbers(parts, missing).size());
  }

  Loader loader_;
};

// [B, planes, C, S, S] on the CPU.
at::Tensor rows_of(const at::Tensor& images, LatentCodec& codec, const EncodeRunOptions& options) {
  const auto straight = codec.encode(images);
  std::vector<at::Tensor> planes{straight.mean, straight.logvar};
  if (options.flipped) {
    const auto mirrored = codec.encode(images.flip(3));
    planes.insert(planes.end(), {mirrored.mean, mirrored.logvar});
  }
  return torch::stack(planes, 1).to(options.half ? torch::kHalf : torch::kFloat).cpu();
}

// Reads the images of `part` from `loader` and writes their latents.
// `show` is called with the images of the part that are encoded.
void encode_part(const Shards& parts, int64_t part, PartLoader& loader, LatentCodec& codec,
                 const EncodeRunOptions& options, const std::function<void(int64_t)>& show) {
  std::vector<at::Tensor> rows, labels;
  Batch batch;
  for (int64_t left = parts.size(part); left > 0; left -= batch.size()) {
    require_not_stopped();
    WF_CHECK(loader.next(batch), "the loader ended before part ", part, " did");
    rows.push_back(rows_of(batch.inputs, codec, options));
    labels.push_back(batch.labels.clone());
    WF_CHECK(rows.back().isfinite().all().item<bool>(), "latents of the images from ",
             parts.begin(part), " on are not finite: the weights of the autoencoder are damaged, ",
             options.half ? "or float16 is too narrow (--half)" : "or the precision is too low");
    show(parts.size(part) - left + batch.size());
  }
  write_npz(parts.path(part), {{{"rows", torch::cat(rows)}, {"labels", torch::cat(labels)}}});
}

// Calls read(part's file) for every part; one that is damaged is removed, so that it is made again.
template <typename Read>
void for_each_part(const Shards& parts, const Read& read) {
  for (int64_t i = 0; i < parts.count(); ++i) {
    try {
      read(NpzFile(parts.path(i)), parts.size(i));
    } catch (const Error& problem) {
      fs::remove(parts.path(i));
      throw Error(str(problem.what(), "; it was removed: run the same command again"));
    }
  }
}

void join_parts(const Shards& parts, PackedLatentsInfo info, const std::string& output) {
  const auto labels_of = [](const NpzFile& file, int64_t size) {
    auto labels = file.read("labels");
    WF_CHECK(labels.sizes() == at::IntArrayRef({size}) && labels.scalar_type() == torch::kLong,
             file.path(), ": ", labels.sizes(), " labels, expected ", size);
    return labels;
  };
  int64_t unreadable = 0;
  for_each_part(parts, [&](const NpzFile& file, int64_t size) {
    const auto readable = labels_of(file, size).ge(0).sum().item<int64_t>();
    info.samples += readable;
    unreadable += size - readable;
  });
  WF_CHECK(info.samples > 0, output, ": none of the images could be read");
  PackedLatentsWriter out(output, info);
  for_each_part(parts, [&](const NpzFile& file, int64_t size) {
    const auto labels = labels_of(file, size), rows = file.read("rows");
    WF_CHECK(rows.dim() == 5 && rows.size(0) == size, file.path(), ": rows ", rows.sizes());
    for (int64_t i = 0; i < size; ++i) {
      const auto label = labels[i].item<int64_t>();
      if (label >= 0) out.add(rows[i], label);
    }
  });
  out.finish();
  log::info("{}: latents of {} images{}", output, info.samples,
            unreadable ? fmt::format(", {} unreadable ones left out", unreadable) : "");
}

// Whether the file is there already. Throws wf::Error when it was made with other settings.
bool is_complete(const std::string& output, const std::string& origin) {
  if (!fs::exists(output)) return false;
  WF_CHECK(PackedLatents(output).info().origin == origin, output,
           ": exists and was made with other settings; choose another --output, or remove it");
  return true;
}

}  // namespace

void encode_images(std::shared_ptr<const Dataset> images, LatentCodec& codec,
                   const EncodeRunOptions& options, Distributed& ranks) {
  const auto info = info_of(*images, codec, options);
  WF_CHECK(options.size % codec.reduction() == 0, "--size ", options.size,
           ": must be a multiple of ", codec.reduction(), ", the reduction of this autoencoder");
  WF_CHECK(options.part % options.batch_size == 0, "--part ", options.part,
           ": must be a multiple of --batch-size, ", options.batch_size);
  const Shards parts({options.output + ".parts", images->size(), options.part, ".npz",
                      str(info.origin, "part: ", options.part, "\n")});
  bool complete = false;
  ranks.on_root("manifest", [&] {
    complete = is_complete(options.output, info.origin);
    complete ? parts.remove() : parts.prepare();
  });
  if (ranks.sum(complete ? 1.0 : 0.0) > 0) {
    log::info("{}: complete, nothing to encode", options.output);
    return;
  }
  const auto missing = parts.missing(ranks);
  PartLoader loader(images, parts, missing, options);
  const Stopwatch watch;
  int64_t encoded = 0, all = 0;
  for (const auto part : missing) all += parts.size(part);
  ProgressBar bar("encoding", all);
  for (size_t i = 0; i < missing.size(); ++i) {
    encode_part(parts, missing[i], loader, codec, options,
                [&](int64_t done) { bar.show(encoded + done); });
    encoded += parts.size(missing[i]);
    const double seconds = watch.seconds();
    log::info("part {}/{} of rank {}  {:.1f} images/s  data wait {:.0f} %  eta {}", i + 1,
              missing.size(), ranks.rank(), static_cast<double>(encoded) / seconds,
              100 * loader.wait_seconds() / seconds,
              clock_time(seconds / static_cast<double>(i + 1) *
                         static_cast<double>(missing.size() - i - 1)));
  }
  ranks.on_root("joining the parts", [&] {
    parts.wait_for_all();
    join_parts(parts, info, options.output);
    parts.remove();
  });
}

}  // namespace wf
