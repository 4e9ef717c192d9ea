// The sizes of column_gain as the loops of all devices see them. Free of ATen.
#pragma once

#include <cstdint>

namespace wf {

/// R rows of D columns for each of B samples.
struct ColumnGainShape {
  int64_t batch, rows, columns;
};

}  // namespace wf
