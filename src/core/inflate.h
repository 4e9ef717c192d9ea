#pragma once

#include <cstddef>
#include <string_view>

namespace wf {

/// Whether the deflated bytes `in`, as zip archives have them (RFC 1951, no header), unpack to
/// exactly `size` bytes, which are then at `out`. Both may be larger than 4 GiB.
bool inflate_to(std::string_view in, char* out, size_t size);

/// Bytes that deflate makes of one, at most: a directory that claims more is wrong.
constexpr size_t kMostDeflated = 1032;

}  // namespace wf
