#include "serialization/verify.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/mapped_file.h"
#include "core/parallel.h"

#include <algorithm>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace wf {
namespace {

struct Piece {
  size_t stretch;
  uint64_t begin, size;
  char* to;  // or nullptr
  uint32_t checksum;
};

std::vector<Piece> pieces_of(const std::vector<Stretch>& stretches,
                             const std::vector<Destination>& destinations) {
  constexpr uint64_t kPiece = 8 << 20;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < stretches.size(); ++i) {
    const auto add = [&](uint64_t begin, uint64_t end, char* to) {
      for (uint64_t size = 0; begin < end; begin += size, to += to ? size : 0) {
        size = std::min(kPiece, end - begin);
        pieces.push_back({i, begin, size, to, 0});
      }
    };
    uint64_t at = stretches[i].begin;
    const uint64_t end = at + stretches[i].size;
    auto next = std::lower_bound(destinations.begin(), destinations.end(), at,
                                 [](const Destination& d, uint64_t b) { return d.begin < b; });
    for (; next != destinations.end() && next->begin < end; ++next) {
      add(at, next->begin, nullptr);
      at = next->begin + next->size;
      add(next->begin, at, static_cast<char*>(next->to));
    }
    add(at, end, nullptr);
  }
  return pieces;
}

// Past the caches, which weights of this size would only empty: a third less memory traffic, as
// what lies at `to` is not read first.
void stream(char* to, const char* from, size_t size) {
#ifdef __SSE2__
  constexpr size_t kVector = sizeof(__m128i);
  const auto head = std::min(size, -reinterpret_cast<uintptr_t>(to) % kVector);
  std::memcpy(to, from, head);
  size_t done = head;
  for (; done + kVector <= size; done += kVector) {
    const auto bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + done));
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + done), bytes);
  }
  std::memcpy(to + done, from + done, size - done);
#else
  std::memcpy(to, from, size);
#endif
}

// The checksum reads what then lies in the second-level cache for the copy.
uint32_t copy(const MappedFile& file, const Piece& piece) {
  constexpr uint64_t kChunk = 128 << 10;
  WF_CHECK(file.whole(), file.path(), ": cannot read: it became shorter");
  uint32_t sum = 0;
  for (uint64_t done = 0; done < piece.size; done += kChunk) {
    const auto chunk = file.bytes().substr(piece.begin + done, std::min(kChunk, piece.size - done));
    sum = checksum(chunk, sum);
    stream(piece.to + done, chunk.data(), chunk.size());
  }
#ifdef __SSE2__
  _mm_sfence();
#endif
  file.release(file.bytes().data() + piece.begin, piece.size);
  return sum;
}

}  // namespace

void verify(const MappedFile& file, const std::vector<Stretch>& stretches,
            const std::vector<Destination>& destinations) {
  auto pieces = pieces_of(stretches, destinations);
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto& piece = pieces[i];
      piece.checksum = piece.to ? copy(file, piece) : file.checksum_of(piece.begin, piece.size);
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
