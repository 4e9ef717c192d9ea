#include "verify.h"

#include "weightformer/core/check.h"
#include "weightformer/core/checksum.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace wf {

void verify(const MappedFile& file, const std::vector<Stretch>& stretches) {
  constexpr uint64_t kPiece = 8 << 20;
  struct Piece {
    size_t stretch;
    uint64_t begin, size;
    uint32_t checksum;
  };
  std::vector<Piece> pieces;
  for (size_t i = 0; i < stretches.size(); ++i) {
    for (uint64_t done = 0; done < stretches[i].size; done += kPiece) {
      pieces.push_back(
          {i, stretches[i].begin + done, std::min(kPiece, stretches[i].size - done), 0});
    }
  }
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      pieces[i].checksum = file.checksum_of(pieces[i].begin, pieces[i].size);
    }
  });
  std::vector<uint32_t> sums(stretches.size(), checksum(""));
  for (const auto& piece : pieces) {
    sums[piece.stretch] = checksum_of_both(sums[piece.stretch], piece.checksum, piece.size);
  }
  for (size_t i = 0; i < stretches.size(); ++i) {
    WF_CHECK(sums[i] == stretches[i].checksum, file.path(), ": damaged: the checksum of ",
             stretches[i].what, " does not fit");
  }
}

}  // namespace wf
