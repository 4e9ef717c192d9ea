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

struct Chunk {
  size_t range;
  uint64_t begin, size;
  char* to;  // or nullptr
  uint32_t checksum;
};

std::vector<Chunk> chunks_of(const std::vector<ChecksummedRange>& ranges,
                             const std::vector<Destination>& destinations) {
  constexpr uint64_t kChunk = 8 << 20;
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const auto add = [&](uint64_t begin, uint64_t end, char* to) {
      for (uint64_t size = 0; begin < end; begin += size, to += to ? size : 0) {
        size = std::min(kChunk, end - begin);
        chunks.push_back({i, begin, size, to, 0});
      }
    };
    uint64_t at = ranges[i].begin;
    const uint64_t end = at + ranges[i].size;
    auto next = std::lower_bound(destinations.begin(), destinations.end(), at,
                                 [](const Destination& d, uint64_t b) { return d.begin < b; });
    for (; next != destinations.end() && next->begin < end; ++next) {
      add(at, next->begin, nullptr);
      at = next->begin + next->size;
      add(next->begin, at, static_cast<char*>(next->to));
    }
    add(at, end, nullptr);
  }
  return chunks;
}

// Bypasses the caches, which weights of this size would flush: a third less memory traffic, as the
// destination is not read first.
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

// Block by block: the checksum brings a block into the second-level cache, from which it is copied.
uint32_t copy(const MappedFile& file, const Chunk& chunk) {
  constexpr uint64_t kBlock = 128 << 10;
  WF_CHECK(file.whole(), file.path(), ": cannot read: it became shorter");
  uint32_t sum = 0;
  for (uint64_t done = 0; done < chunk.size; done += kBlock) {
    const auto block = file.bytes().substr(chunk.begin + done, std::min(kBlock, chunk.size - done));
    sum = checksum(block, sum);
    stream(chunk.to + done, block.data(), block.size());
  }
#ifdef __SSE2__
  _mm_sfence();
#endif
  file.release(file.bytes().data() + chunk.begin, chunk.size);
  return sum;
}

}  // namespace

void verify(const MappedFile& file, const std::vector<ChecksummedRange>& ranges,
            const std::vector<Destination>& destinations) {
  auto chunks = chunks_of(ranges, destinations);
  at::parallel_for(0, static_cast<int64_t>(chunks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto& chunk = chunks[i];
      chunk.checksum = chunk.to ? copy(file, chunk) : file.checksum_of(chunk.begin, chunk.size);
    }
  });
  std::vector<uint32_t> sums(ranges.size(), checksum(""));
  for (const auto& chunk : chunks) {
    sums[chunk.range] = checksum_of_both(sums[chunk.range], chunk.checksum, chunk.size);
  }
  for (size_t i = 0; i < ranges.size(); ++i) {
    WF_CHECK(sums[i] == ranges[i].checksum, file.path(), ": corrupted: checksum mismatch in ",
             ranges[i].what);
  }
}

}  // namespace wf
