#include "core/checksum.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace wf {
namespace {

constexpr uint32_t kPolynomial = 0xEDB88320u;  // reflected
constexpr size_t kSlices = 8;

// tables[k][b]: byte b followed by k zero bytes.
std::array<std::array<uint32_t, 256>, kSlices> make_tables() {
  std::array<std::array<uint32_t, 256>, kSlices> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ kPolynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t k = 1; k < kSlices; ++k) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr uint32_t kOne = 1u << 31;  // the polynomial 1: the highest power is the lowest bit

// Of two polynomials, modulo that of the CRC.
uint32_t product(uint32_t a, uint32_t b) {
  uint32_t out = 0;
  for (uint32_t bit = kOne; bit > 0; bit >>= 1) {
    if (a & bit) out ^= b;
    b = b & 1 ? b >> 1 ^ kPolynomial : b >> 1;
  }
  return out;
}

#if defined(__x86_64__)

// Folds 64 bytes per iteration with carry-less multiplication (Gopal et al., "Fast CRC Computation
// for Generic Polynomials Using PCLMULQDQ", Intel 2009; the reflected constants of its section on
// the gzip polynomial): x^(D+32) and x^(D-32) mod P for the distance D in bits that a fold spans.
// `blocks` of 64 bytes, at least one; the crc is the raw register.
__attribute__((target("pclmul,sse4.1"))) uint32_t fold(uint32_t crc, const uint8_t* data,
                                                       size_t blocks) {
  const auto load = [](const uint8_t* at) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  };
  const auto folded =
      [](__m128i x, __m128i by, __m128i next) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_xor_si128(
        next, _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11)));
  };
  const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
  const __m128i by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  __m128i x[4];
  for (int i = 0; i < 4; ++i) x[i] = load(data + 16 * i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128(static_cast<int>(crc)));
  for (size_t block = 1; block < blocks; ++block) {
    data += 64;
    for (int i = 0; i < 4; ++i) x[i] = folded(x[i], by512, load(data + 16 * i));
  }
  for (int i = 1; i < 4; ++i) x[i] = folded(x[i - 1], by128, x[i]);
  // The remaining 16 bytes have the same remainder as all bytes before: the tables finish.
  uint8_t rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), x[3]);
  return ~checksum_portable({reinterpret_cast<const char*>(rest), sizeof(rest)}, ~uint32_t{0});
}

bool can_fold() {
  static const bool can = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return can;
}

#endif

}  // namespace

uint32_t checksum_of_both(uint32_t first, uint32_t second, uint64_t second_size) {
  // Appending bits multiplies the polynomial of `first` by x to the number of bits.
  uint32_t power = kOne, base = kOne >> 8;
  for (; second_size > 0; second_size >>= 1) {
    if (second_size & 1) power = product(power, base);
    base = product(base, base);
  }
  return product(power, first) ^ second;
}

uint32_t checksum_portable(std::string_view bytes, uint32_t before) {
  static const auto tables = make_tables();
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  uint32_t crc = ~before;
  for (; left >= kSlices; left -= kSlices, at += kSlices) {
    uint32_t low = crc ^ (uint32_t{at[0]} | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 |
                          uint32_t{at[3]} << 24);
    crc = tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
    for (size_t k = 7; k >= 4; --k, low >>= 8) crc ^= tables[k][low & 0xFF];
  }
  for (; left > 0; --left, ++at) crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xFF];
  return ~crc;
}

uint32_t checksum(std::string_view bytes, uint32_t before) {
#if defined(__x86_64__)
  if (bytes.size() >= 64 && can_fold()) {
    const size_t blocks = bytes.size() / 64;
    before = ~fold(~before, reinterpret_cast<const uint8_t*>(bytes.data()), blocks);
    bytes.remove_prefix(64 * blocks);
  }
#endif
  return checksum_portable(bytes, before);
}

}  // namespace wf
