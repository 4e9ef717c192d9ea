// The gzipped IDX files of MNIST and similar datasets: magic, sizes, bytes.
#pragma once

#include "weightformer/core/check.h"

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wf {

struct Idx {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;
};

/// Reads a gzipped IDX file of bytes with `dims` dimensions. Throws wf::Error naming the file.
inline Idx read_idx(const std::string& path, size_t dims) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  WF_CHECK(file, path, ": cannot open");
  const auto read = [&](void* to, size_t bytes) {
    WF_CHECK(gzread(file.get(), to, static_cast<unsigned>(bytes)) == static_cast<int>(bytes), path,
             ": damaged or truncated");
  };
  uint8_t head[4];
  read(head, 4);
  WF_CHECK(head[0] == 0 && head[1] == 0 && head[2] == 8 && head[3] == dims, path,
           ": not an IDX file of bytes with ", dims, " dimensions");
  Idx idx;
  int64_t count = 1;
  for (size_t i = 0; i < dims; ++i) {
    uint8_t size[4];
    read(size, 4);
    idx.shape.push_back(int64_t{size[0]} << 24 | size[1] << 16 | size[2] << 8 | size[3]);
    // The largest known one has 47 million bytes.
    WF_CHECK(idx.shape.back() > 0 && idx.shape.back() <= (int64_t{1} << 30) / count, path,
             ": claims an impossible size");
    count *= idx.shape.back();
  }
  idx.values.resize(static_cast<size_t>(count));
  read(idx.values.data(), idx.values.size());
  // zlib verifies the checksum on reading past the end.
  WF_CHECK(gzread(file.get(), head, 1) == 0, path,
           ": damaged, or longer than declared in its header");
  return idx;
}

}  // namespace wf
