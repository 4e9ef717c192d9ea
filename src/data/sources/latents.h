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
  /// Where a mean and a standard deviation are stored, a draw from `rng`, or the mean when that is
  /// null. Throws wf::Error for a file that is damaged, has another shape, numbers that are not
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

/// The latents at `path`: a file of wf_encode (see packed_latents.h) or a directory in one of these
/// layouts:
///   NAME_features/ (or features/) and NAME_labels/ (labels/): fast-DiT's one .npy file for each
///     image, [1, C, S, S] float32 and already scaled, labels [1] int64; paired in bytewise order
///     of the names, as its CustomDataset does (train.py);
///   dataset.json {"labels": [["00000/img-mean-std-00000000.npy", 7], …]}: EDM2's and REPA's files
///     [2 C, S, S], mean and standard deviation, times 0.18215 as in REPA;
///   latents.npy [N, C, S, S], already scaled, and labels.npy [N] int64.
/// `hflip`: probability of drawing the mirrored image, where it is stored. Throws wf::Error in one
/// line when it is none of these or the parts do not match.
std::shared_ptr<const Latents> open_latents(const std::string& path, double hflip = 0);

/// The path of the set `split` ("train", "val") in `directory`: SPLIT.wflat, else the directory
/// SPLIT/; "" when there is neither.
std::string latents_of(const std::string& directory, const std::string& split);

}  // namespace wf
