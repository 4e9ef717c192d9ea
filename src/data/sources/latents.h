// Readers of images encoded by a VAE, in the usual file layouts.
#pragma once

#include "weightformer/core/random.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wf {

/// Labeled latents by index. Thread-safe for reading.
class Latents {
 public:
  virtual ~Latents() = default;

  virtual int64_t size() const = 0;
  virtual std::string name(int64_t i) const = 0;  ///< the file of sample `i`, for messages

  /// Writes latent `i`, [channels, side, side], as a model is trained on it, and returns its label.
  /// With `rng`: where a mean and a standard deviation are stored, a draw from that normal
  /// distribution, and where flipped latents are stored, one of the two; otherwise the mean, not
  /// flipped. Throws wf::Error for a file that is damaged, has another shape, numbers that are not
  /// finite or a label below 0.
  virtual int64_t read(int64_t i, CounterRng* rng, float* out) const = 0;

  /// Names of the labels; empty where they are not stored.
  virtual const std::vector<std::string>& classes() const {
    static const std::vector<std::string> none;
    return none;
  }

  int64_t channels() const { return channels_; }
  int64_t side() const { return side_; }

 protected:
  int64_t channels_ = 0, side_ = 0;
};

struct LatentOptions {
  /// The stored numbers are multiplied by it; 0: they are normalized as usual for the layout.
  double scale = 0;
  double hflip = 0;  ///< probability of drawing the mirrored image of a file of wf_encode
};

/// The latents in `path`, a directory or a file, in one of these layouts; numbers are float32,
/// float16 or, in safetensors, bfloat16:
///   a file .wflat of wf_encode, see packed_latents.h;
///   NAME_features/ (or features/) and NAME_labels/ (labels/): fast-DiT's one .npy file for each
///     image, [1, C, S, S], already scaled, labels [1] int64; paired in bytewise order
///     of the names, as its CustomDataset does (train.py);
///   dataset.json {"labels": [["00000/img-mean-std-00000000.npy", 7], …]}: EDM2's and REPA's files
///     [2 C, S, S], mean and standard deviation, times 0.18215 as in REPA; also in a .zip archive,
///     stored or deflated;
///   *.safetensors: LightningDiT's shards, latents [N, C, S, S], labels [N] and perhaps
///     latents_flip, of which training takes either with probability 1/2; less the mean and
///     divided by the standard deviation of each channel in latents_stats.pt;
///   latents.npy [N, C, S, S], already scaled, and labels.npy [N];
///   an .npz file, or latents.npz in the directory, with the same two as latents and labels, or as
///     arr_0 and arr_1.
/// Everything but deflated entries is read in a memory map, so that data larger than the memory
/// can be used. Throws wf::Error in one line when it is none of these or the parts do not match.
std::shared_ptr<const Latents> open_latents(const std::string& path,
                                            const LatentOptions& options = {});

/// The latents of "train" or "val" in `directory`: NAME.wflat, a directory of that name,
/// NAME.zip or NAME.npz; empty when there are none.
std::string latent_split(const std::string& directory, const std::string& name);

}  // namespace wf
