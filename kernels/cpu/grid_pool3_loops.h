// The loops of grid_pool3, over any vectors of channels.
#pragma once

#include "kernels/cpu/loop_vectors.h"
#include "ops/grid_pool3_windows.h"
#include "ops/token_grid.h"

#include <cstdint>

namespace wf {
namespace {

template <typename T>
void grid_pool3_loop(const T* x, T* y, const TokenGrid& g) {
  const int64_t c = g.channels, window = (g.height * g.width + 8) / 9;
  parallel_for(0, g.batch * 9, rows_per_thread(window * c), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto rows = pool_window(i % 9 / 3, g.height), columns = pool_window(i % 3, g.width);
      const T* image = x + i / 9 * g.height * g.width * c;
      const double area =
          static_cast<double>((rows.end - rows.begin) * (columns.end - columns.begin));
      for_each_vector<T>(c, [&](auto full, int64_t k, int64_t count) {
        Vec<T> sum(0);
        for (int64_t row = rows.begin; row < rows.end; ++row) {
          // Row by row, so that the rounding error does not grow with the image.
          Vec<T> part(0);
          for (int64_t column = columns.begin; column < columns.end; ++column) {
            part = part + load<full.value>(image + (row * g.width + column) * c + k, count);
          }
          sum = sum + part;
        }
        store(y + i * c + k, sum * Vec<T>(static_cast<Accumulate<T>>(1 / area)), count);
      });
    }
  });
}

template <typename T>
void grid_pool3_backward_loop(const T* grad, T* grad_x, const TokenGrid& g) {
  const int64_t c = g.channels;
  const auto covers = [](const PoolWindow& w, int64_t at) { return w.begin <= at && at < w.end; };
  parallel_for(
      0, g.batch * g.height * g.width, rows_per_thread(c), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t row = i / g.width % g.height, column = i % g.width;
          const T* cells = grad + i / (g.height * g.width) * 9 * c;
          for_each_vector<T>(c, [&](auto full, int64_t k, int64_t count) {
            Vec<T> sum(0);
            for (int64_t cell = 0; cell < 9; ++cell) {
              const auto rows = pool_window(cell / 3, g.height),
                         columns = pool_window(cell % 3, g.width);
              if (!covers(rows, row) || !covers(columns, column)) continue;
              const double area =
                  static_cast<double>((rows.end - rows.begin) * (columns.end - columns.begin));
              sum = fmadd(load<full.value>(cells + cell * c + k, count),
                          Vec<T>(static_cast<Accumulate<T>>(1 / area)), sum);
            }
            store(grad_x + i * c + k, sum, count);
          });
        }
      });
}

}  // namespace
}  // namespace wf
