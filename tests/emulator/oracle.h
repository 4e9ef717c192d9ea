// The operators and their gradients as plain loops over double: what the emulated kernels must
// give.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace wf::oracle {

using Numbers = std::vector<double>;

struct Tokens {
  int batch, height, width, channels;

  size_t size() const { return static_cast<size_t>(batch) * height * width * channels; }
  size_t operator()(int b, int row, int column, int c) const {
    return ((static_cast<size_t>(b) * height + row) * width + column) * channels + c;
  }
  bool has(int row, int column) const {
    return row >= 0 && row < height && column >= 0 && column < width;
  }
};

template <class Visit>
void for_each_token(const Tokens& t, Visit visit) {
  for (int b = 0; b < t.batch; ++b) {
    for (int row = 0; row < t.height; ++row) {
      for (int column = 0; column < t.width; ++column) {
        for (int c = 0; c < t.channels; ++c) visit(b, row, column, c);
      }
    }
  }
}

// --- token_pool and grid_pool3: link(cell index, token index, weight) for every pair ---------

template <class Link>
void token_pool_links(const Tokens& t, Link link) {
  const Tokens cells{t.batch, t.height / 2, t.width / 2, t.channels};
  for_each_token(cells, [&](int b, int row, int column, int c) {
    for (int i = 0; i < 4; ++i) {
      link(cells(b, row, column, c), t(b, 2 * row + i / 2, 2 * column + i % 2, c), 0.25);
    }
  });
}

template <class Link>
void grid_pool3_links(const Tokens& t, Link link) {
  const Tokens cells{t.batch, 3, 3, t.channels};
  const auto begin = [](int i, int size) { return static_cast<int>(std::floor(i * size / 3.0)); };
  const auto end = [](int i, int size) {
    return static_cast<int>(std::ceil((i + 1) * size / 3.0));
  };
  for_each_token(cells, [&](int b, int row, int column, int c) {
    const int top = begin(row, t.height), bottom = end(row, t.height);
    const int left = begin(column, t.width), right = end(column, t.width);
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        link(cells(b, row, column, c), t(b, y, x, c), 1.0 / ((bottom - top) * (right - left)));
      }
    }
  });
}

// --- column_gain ----------------------------------------------------------------------------

/// gram: [B, R, R]; right: [B, R, D].
struct ColumnGain {
  int batch, rows, columns;
  double scale;
  Numbers gram, right;

  size_t at(int b, int r, int j) const { return (static_cast<size_t>(b) * rows + r) * columns + j; }
  double gram_at(int b, int r, int s) const {
    return gram[(static_cast<size_t>(b) * rows + r) * rows + s];
  }

  /// gram right: [B, R, D]
  Numbers product() const {
    Numbers out(right.size());
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int s = 0; s < rows; ++s) {
          for (int j = 0; j < columns; ++j) {
            out[at(b, r, j)] += gram_at(b, r, s) * right[at(b, s, j)];
          }
        }
      }
    }
    return out;
  }

  /// ν: [B, D]
  Numbers norm() const {
    Numbers square(static_cast<size_t>(batch) * columns), p = product();
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) {
          square[b * columns + j] += right[at(b, r, j)] * p[at(b, r, j)];
        }
      }
    }
    for (double& s : square) s = scale * std::sqrt(std::max(s, 0.0));
    return square;
  }

  Numbers gained() const {
    Numbers out = right, nu = norm();
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < columns; ++j) out[at(b, r, j)] /= 1 + nu[b * columns + j];
      }
    }
    return out;
  }

  /// Of Σ grad * gained(), for a gram that need not be symmetric.
  struct Gradients {
    Numbers gram, right;
  };
  Gradients backward(const Numbers& grad) const {
    Gradients out{Numbers(gram.size()), Numbers(right.size())};
    const Numbers nu = norm();
    for (int b = 0; b < batch; ++b) {
      for (int j = 0; j < columns; ++j) {
        const double n = nu[b * columns + j], factor = 1 / (1 + n);
        double d_factor = 0;
        for (int r = 0; r < rows; ++r) d_factor += grad[at(b, r, j)] * right[at(b, r, j)];
        const double d_norm = -d_factor / ((1 + n) * (1 + n));
        const double d_square = n == 0 ? 0 : d_norm * scale * scale / (2 * n);
        for (int r = 0; r < rows; ++r) {
          out.right[at(b, r, j)] += grad[at(b, r, j)] * factor;
          for (int s = 0; s < rows; ++s) {
            const double q = right[at(b, r, j)], other = right[at(b, s, j)], g = gram_at(b, r, s);
            out.gram[(static_cast<size_t>(b) * rows + r) * rows + s] += d_square * q * other;
            out.right[at(b, r, j)] += d_square * g * other;
            out.right[at(b, s, j)] += d_square * g * q;
          }
        }
      }
    }
    return out;
  }
};

// --- dynamic_dwconv -------------------------------------------------------------------------

/// kernel: [B, 9, C] or empty; weight: [9, C]; bias: [C]; shift, scale, gate: [B, C] or empty.
struct Dwconv {
  Tokens tokens;
  Numbers x, kernel, weight, bias, shift, scale, gate;
  bool residual;

  int row_at(int b, int c) const { return b * tokens.channels + c; }
  int tap_at(int b, int t, int c) const { return (b * 9 + t) * tokens.channels + c; }
  double norm(int b, int c) const {
    double square = 0;
    for (int t = 0; t < 9; ++t) square += kernel[tap_at(b, t, c)] * kernel[tap_at(b, t, c)];
    return std::sqrt(square);
  }
  double tap(int b, int t, int c) const {
    const double predicted = kernel.empty() ? 0 : kernel[tap_at(b, t, c)] / (1 + norm(b, c));
    return predicted + weight[t * tokens.channels + c];
  }
  double factor(int b, int c) const { return scale.empty() ? 1 : 1 + scale[row_at(b, c)]; }
  double gate_of(int b, int c) const { return gate.empty() ? 1 : gate[row_at(b, c)]; }
  double input(int b, int row, int column, int c) const {
    const double offset = shift.empty() ? 0 : shift[row_at(b, c)];
    return x[tokens(b, row, column, c)] * factor(b, c) + offset;
  }
  /// Before gate and residual.
  double convolved(int b, int row, int column, int c) const {
    double sum = bias[c];
    for (int t = 0; t < 9; ++t) {
      const int i = row + t / 3 - 1, j = column + t % 3 - 1;
      if (tokens.has(i, j)) sum += tap(b, t, c) * input(b, i, j, c);
    }
    return sum;
  }

  Numbers forward() const {
    Numbers y(tokens.size());
    for_each_token(tokens, [&](int b, int row, int column, int c) {
      const size_t at = tokens(b, row, column, c);
      y[at] = gate_of(b, c) * convolved(b, row, column, c) + (residual ? x[at] : 0);
    });
    return y;
  }

  /// Of Σ grad * forward(). taps: [B, 9, C], bias: [B, C], not yet summed over the batch.
  struct Gradients {
    Numbers x, taps, bias, kernel, shift, scale, gate;
  };
  Gradients backward(const Numbers& grad) const {
    const size_t rows = static_cast<size_t>(tokens.batch) * tokens.channels;
    Gradients out{Numbers(x.size()), Numbers(9 * rows), Numbers(rows), Numbers(9 * rows),
                  Numbers(rows),     Numbers(rows),     Numbers(rows)};
    for_each_token(tokens, [&](int b, int row, int column, int c) {
      const size_t at = tokens(b, row, column, c), per_row = row_at(b, c);
      const double d_sum = grad[at] * gate_of(b, c);
      if (residual) out.x[at] += grad[at];
      out.gate[per_row] += grad[at] * convolved(b, row, column, c);
      out.bias[per_row] += d_sum;
      for (int t = 0; t < 9; ++t) {
        const int i = row + t / 3 - 1, j = column + t % 3 - 1;
        if (!tokens.has(i, j)) continue;
        const double d_input = d_sum * tap(b, t, c);
        out.taps[tap_at(b, t, c)] += d_sum * input(b, i, j, c);
        out.x[tokens(b, i, j, c)] += d_input * factor(b, c);
        out.shift[per_row] += d_input;
        out.scale[per_row] += d_input * x[tokens(b, i, j, c)];
      }
    });
    if (!kernel.empty()) out.kernel = normalisation_backward(out.taps);
    return out;
  }

 private:
  Numbers normalisation_backward(const Numbers& taps) const {
    Numbers out(taps.size());
    for (int b = 0; b < tokens.batch; ++b) {
      for (int c = 0; c < tokens.channels; ++c) {
        const double n = norm(b, c);
        double dot = 0;
        for (int t = 0; t < 9; ++t) dot += kernel[tap_at(b, t, c)] * taps[tap_at(b, t, c)];
        for (int t = 0; t < 9; ++t) {
          const int at = tap_at(b, t, c);
          out[at] = taps[at] / (1 + n);
          if (n > 0) out[at] -= kernel[at] * dot / (n * (1 + n) * (1 + n));
        }
      }
    }
    return out;
  }
};

}  // namespace wf::oracle
