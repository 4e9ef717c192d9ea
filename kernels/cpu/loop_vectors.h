// The vectors that the loops compute with: ATen's, or those of kernels/stable in a build on torch's
// stable ABI, which excludes ATen.
#pragma once

#ifdef TORCH_TARGET_VERSION
#include "kernels/stable/vectors.h"
#else
#include "kernels/cpu/vectors.h"
#endif

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace wf {
inline namespace CPU_CAPABILITY {

/// visit(std::bool_constant<full>, first channel, channels) for each vector of a row of channels.
template <typename T, typename Visit>
inline void for_each_vector(int64_t channels, Visit visit) {
  constexpr int64_t kSize = Vec<T>::size();
  int64_t c = 0;
  for (; c + kSize <= channels; c += kSize) visit(std::true_type(), c, kSize);
  if (c < channels) visit(std::false_type(), c, channels - c);
}

/// Minimum number of rows of `channels` numbers per thread.
inline int64_t rows_per_thread(int64_t channels) {
  constexpr int64_t kNumbers =
      32768;  // ATen's own choice: below, a thread costs more than it saves
  return std::max<int64_t>(1, kNumbers / std::max<int64_t>(channels, 1));
}

}  // namespace CPU_CAPABILITY
}  // namespace wf
