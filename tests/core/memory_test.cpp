#include "weightformer/core/memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/alignment.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace wf {
namespace {

TEST(KeepFreedMemory, TensorsAreAlignedAndDoNotOverlap) {
  keep_freed_memory();
  std::vector<at::Tensor> tensors;
  for (int64_t size : {0, 1, 15, 16, 17, 63, 64, 65, 4096, 1 << 20, (40 << 20) + 1}) {
    tensors.push_back(torch::full({size}, size % 251, torch::kByte));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensors.back().data_ptr()) % c10::gAlignment, 0);
  }
  for (const auto& tensor : tensors) {
    EXPECT_TRUE(tensor.eq(tensor.numel() % 251).all().item<bool>()) << tensor.numel();
  }
  auto* raw = c10::GetCPUAllocator()->raw_allocate(100);
  c10::GetCPUAllocator()->raw_deallocate(raw);
}

TEST(KeepFreedMemory, TheNextOfTheSameSizeTakesThePlaceOfOneThatIsFreed) {
  keep_freed_memory();
  for (const int64_t size : {int64_t{100'000}, int64_t{9'633'792}}) {
    auto before = torch::empty({size}), freed = torch::empty({size}), after = torch::empty({size});
    const auto* place = freed.data_ptr();
    freed.reset();
    EXPECT_EQ(torch::empty({size}).data_ptr(), place) << size;
  }
}

TEST(KeepFreedMemory, AnImpossibleSizeIsAnErrorWithTheSize) {
  keep_freed_memory();
  try {
    torch::empty({int64_t{1} << 60}, torch::kByte);
    FAIL() << "2^60 bytes were allocated";
  } catch (const c10::Error& problem) {
    EXPECT_NE(std::string(problem.what()).find("1152921504606846976 bytes"), std::string::npos)
        << problem.what();
  }
}

}  // namespace
}  // namespace wf
