#include "engine/diffusion/latent_codec.h"

#include "weightformer/core/check.h"

#include "core/stopwatch.h"
#include "engine/diffusion/sampling.h"
#include "engine/weights_checksum.h"
#include "runtime/log.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <vector>

namespace wf {
namespace {

// Calls work(rows) for every `size` rows of `x`, the last ones filled up by copies of the last row,
// and returns the number of rows that are not copies.
template <typename Work>
void in_batches(const at::Tensor& x, int64_t size, const Work& work) {
  for (int64_t begin = 0; begin < x.size(0); begin += size) {
    auto rows = x.slice(0, begin, begin + size);
    const int64_t real = rows.size(0), missing = size - real;
    if (missing > 0) rows = torch::cat({rows, rows.slice(0, real - 1).repeat({missing, 1, 1, 1})});
    work(rows, real);
  }
}

void require_tiles(const LatentCodecOptions& options, const LoadedVae& loaded) {
  if (options.tile == 0) return;
  WF_CHECK(loaded.vae, "tiles of ", options.tile, ": this autoencoder decodes without tiles");
  const auto unit = 4 * loaded.vae->reduction();
  WF_CHECK(options.tile > 0 && options.tile % unit == 0, "tiles of ", options.tile,
           " pixels: the side must be a multiple of ", unit, " for this autoencoder, such as ",
           std::max<int64_t>(1, options.tile / unit) * unit);
}

}  // namespace

LatentCodec::LatentCodec(const std::string& path, const LatentCodecOptions& options)
    : path_(path), options_(options), loaded_(load_vae(path)) {
  for (const auto& note : loaded_.notes) log::warning("{}", note);
  require_tiles(options, loaded_);
  checksum_ = weights_checksum(*loaded_.module);
  settings_ =
      str("vae: ", checksum_, "\nvae tiles: ", options.tile, "\nvae batch: ", options.batch_size,
          "\nvae precision: ", options.amp ? "bfloat16" : "float32", "\n");
  loaded_.module->to(options.device);
  for (auto& parameter : loaded_.module->parameters()) parameter.set_requires_grad(false);
}

const VaeImpl& LatentCodec::autoencoder() const {
  WF_CHECK(loaded_.vae, path_, ": this autoencoder has only a decoder, and encoding needs both");
  return *loaded_.vae;
}

at::Tensor LatentCodec::scale(const at::Tensor& z) const { return autoencoder().scale(z); }

at::Tensor LatentCodec::decode(const at::Tensor& latents, const std::function<void()>& on_batch) {
  const torch::InferenceMode inference;
  const Stopwatch watch;
  std::vector<at::Tensor> parts;
  in_batches(latents, options_.batch_size, [&](const at::Tensor& rows, int64_t real) {
    if (on_batch) on_batch();
    const MixedPrecision mixed(options_.amp, options_.device.type());
    const auto x = rows.to(options_.device);
    const auto images = options_.tile > 0
                            ? loaded_.vae->decode(loaded_.vae->unscale(x), VaeTiling{options_.tile})
                            : loaded_.decoder->decode_latents(x);
    WF_CHECK(images.isfinite().all().item<bool>(), path_,
             ": decoded images are not finite: are these its latents?");
    parts.push_back(to_bytes(images.to(torch::kFloat)).narrow(0, 0, real).cpu());
  });
  decode_seconds_ += watch.seconds();
  if (parts.empty()) {
    const auto side = [&](int64_t dim) { return latents.size(dim) * reduction(); };
    return torch::empty({0, 3, side(2), side(3)}, torch::kByte);
  }
  return torch::cat(parts);
}

VaePosterior LatentCodec::encode(const at::Tensor& images) {
  autoencoder();
  const torch::NoGradGuard no_grad;  // not inference mode: training uses the result
  std::vector<at::Tensor> means, logvars;
  in_batches(images, options_.batch_size, [&](const at::Tensor& rows, int64_t real) {
    const MixedPrecision mixed(options_.amp, options_.device.type());
    const auto x = rows.to(options_.device).to(torch::kFloat).div_(127.5).sub_(1);
    const auto posterior = options_.tile > 0 ? loaded_.vae->encode(x, VaeTiling{options_.tile})
                                             : loaded_.vae->encode(x);
    means.push_back(posterior.mean.narrow(0, 0, real).to(torch::kFloat));
    logvars.push_back(posterior.logvar.narrow(0, 0, real).to(torch::kFloat));
  });
  return {torch::cat(means), torch::cat(logvars)};
}

}  // namespace wf
