#pragma once

#include "core/atomic_file.h"
#include "data/sources/latents.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wf {

class MappedFile;

// Encoded images in one file, as wf_encode writes them. All numbers are little-endian.
//
//   header   "wflat\r\n", a zero byte, u32 version (1), u32 channels C, u32 side S, u32 planes,
//            u32 bits of a number (16 or 32, floating point), u32 classes, u64 samples, f64 scale,
//            f64 shift, 8 zero bytes
//   rows     samples x planes x [C, S, S]; planes: mean, log-variance and, where there are four,
//            those of the mirrored image, which are not the mirror image of the first
//   index    classes x (u32 length, the name), samples x (i32 label, u32 CRC-32 of the row),
//            u32 length, the origin: "NAME: value" lines
//   footer   u64 begin and u64 length of the index, u32 CRC-32 of header, index and the footer up
//            to here, u32 zero, "wflaend\n"

struct PackedLatentsInfo {
  int64_t channels = 0, side = 0;
  int64_t planes = 4;
  at::ScalarType type = at::kFloat;  ///< or kHalf
  int64_t samples = 0;
  double scale = 1, shift = 0;  ///< a model is trained on (z - shift) * scale
  std::vector<std::string> classes;
  std::string origin;  ///< how they were made: autoencoder, crop, size, source

  int64_t row_bytes() const;
};

/// Writes such a file row by row; it gets its name when finish() is called.
class PackedLatentsWriter {
 public:
  PackedLatentsWriter(const std::string& path, PackedLatentsInfo info);

  /// row: [planes, C, S, S] of the type of the file, contiguous.
  void add(const at::Tensor& row, int64_t label);
  /// Throws wf::Error unless as many samples as promised were added.
  void finish();

 private:
  AtomicFile file_;
  std::string path_, header_, records_;
  PackedLatentsInfo info_;
  int64_t written_ = 0;
};

/// Reads it. Each row's checksum is verified when it is read.
class PackedLatents : public Latents {
 public:
  /// `hflip`: probability of the mirrored image in a draw; without planes of it, it is 0. Throws
  /// wf::Error when the file is of another kind or version, truncated or damaged.
  explicit PackedLatents(const std::string& path, double hflip = 0);

  int64_t size() const override { return info_.samples; }
  std::string name(int64_t i) const override;
  int64_t read(int64_t i, CounterRng* rng, float* out) const override;
  const std::vector<std::string>& classes() const override { return info_.classes; }
  const PackedLatentsInfo& info() const { return info_; }

 private:
  template <typename T>
  void draw(const T* row, CounterRng* rng, int64_t i, float* out) const;

  std::shared_ptr<const MappedFile> file_;
  PackedLatentsInfo info_;
  std::string_view records_;  // in file_
  double hflip_;
};

}  // namespace wf
