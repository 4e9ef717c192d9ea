#include "weightformer/core/memory.h"

#include "core/tensor_bytes.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <c10/util/Exception.h>

#include <malloc.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace wf {
namespace {

// See TensorBytes.
std::atomic<bool> counting{false};
std::atomic<int64_t> bytes_now{0}, bytes_peak{0};

void count_bytes(int64_t bytes) {
  const int64_t now = bytes_now += bytes;
  int64_t peak = bytes_peak;
  while (now > peak && !bytes_peak.compare_exchange_weak(peak, now)) {
  }
}

// c10's allocator calls posix_memalign, for which glibc before 2.38 needs a gap that is larger than
// the tensor by the alignment, so the gap of a freed tensor never fits one of the same size. Here
// the space for alignment is part of every block, and the address of the block is stored just
// before the tensor.
class CpuAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size == 0) return {nullptr, nullptr, &release, c10::kCPU};
    void* block = size > SIZE_MAX - kExtra ? nullptr : std::malloc(size + kExtra);
    TORCH_CHECK(block, "out of memory: failed to allocate ", size, " bytes for a tensor");
    if (counting) count_bytes(static_cast<int64_t>(malloc_usable_size(block)));
    const auto begin = reinterpret_cast<uintptr_t>(block);
    const auto aligned = (begin + kExtra) / c10::gAlignment * c10::gAlignment;
    auto* data = reinterpret_cast<void*>(aligned);
    std::memcpy(reinterpret_cast<void*>(aligned - sizeof block), &block, sizeof block);
    return {data, data, &release, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }

 private:
  static constexpr size_t kExtra = c10::gAlignment + sizeof(void*);

  static void release(void* data) {
    if (!data) return;
    void* block = nullptr;
    std::memcpy(&block, static_cast<char*>(data) - sizeof block, sizeof block);
    if (counting) count_bytes(-static_cast<int64_t>(malloc_usable_size(block)));
    std::free(block);
  }
};

}  // namespace

TensorBytes::TensorBytes() {
  bytes_now = bytes_peak = 0;
  counting = true;
}
TensorBytes::~TensorBytes() { counting = false; }
int64_t TensorBytes::now() const { return bytes_now; }
int64_t TensorBytes::peak() const { return bytes_peak; }

void keep_freed_memory() {
  constexpr int kOneGiB = 1 << 30, kMaxOfOldGlibc = 32 << 20;
  if (mallopt(M_MMAP_THRESHOLD, kOneGiB) == 0) mallopt(M_MMAP_THRESHOLD, kMaxOfOldGlibc);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
  static CpuAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/1);
}

}  // namespace wf
