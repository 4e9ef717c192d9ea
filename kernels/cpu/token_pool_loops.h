// The loops of token_pool, over any vectors of channels.
#pragma once

#include "kernels/cpu/loop_vectors.h"
#include "ops/token_grid.h"

#include <cstdint>
#include <cstring>

namespace wf {
namespace {

template <typename T>
void token_pool_loop(const T* x, T* y, const TokenGrid& g) {
  const int64_t rows = g.height / 2, columns = g.width / 2, c = g.channels;
  parallel_for(0, g.batch * rows, rows_per_thread(columns * c), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* upper = x + (i / rows * g.height + i % rows * 2) * g.width * c;
      const T* lower = upper + g.width * c;
      for (int64_t j = 0; j < columns; ++j) {
        for_each_vector<T>(c, [&](auto full, int64_t k, int64_t count) {
          const auto at = [&](const T* row, int64_t column) {
            return load<full.value>(row + column * c + k, count);
          };
          const auto sum =
              at(upper, 2 * j) + at(upper, 2 * j + 1) + at(lower, 2 * j) + at(lower, 2 * j + 1);
          store(y + (i * columns + j) * c + k, sum * Vec<T>(0.25), count);
        });
      }
    }
  });
}

// grad: [B, rows * columns, C] → grad_x, whose odd last row and column are zero.
template <typename T>
void token_pool_backward_loop(const T* grad, T* grad_x, const TokenGrid& g) {
  const int64_t rows = g.height / 2, columns = g.width / 2, c = g.channels;
  parallel_for(0, g.batch * g.height, rows_per_thread(g.width * c),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t row = i % g.height / 2;
                   const T* from = grad + (i / g.height * rows + row) * columns * c;
                   T* to = grad_x + i * g.width * c;
                   if (row == rows) {
                     std::memset(static_cast<void*>(to), 0, sizeof(T) * g.width * c);
                     continue;
                   }
                   for (int64_t j = 0; j < columns; ++j) {
                     for_each_vector<T>(c, [&](auto full, int64_t k, int64_t count) {
                       const auto part = load<full.value>(from + j * c + k, count) * Vec<T>(0.25);
                       store(to + 2 * j * c + k, part, count);
                       store(to + (2 * j + 1) * c + k, part, count);
                     });
                   }
                   if (g.width % 2) {
                     std::memset(static_cast<void*>(to + 2 * columns * c), 0, sizeof(T) * c);
                   }
                 }
               });
}

}  // namespace
}  // namespace wf
