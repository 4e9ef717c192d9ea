#pragma once

#include <string>

namespace wf {

/// Prints name, class and bytes of every image of the packed file `path`, separated by tabs.
/// Returns 0.
int list_pack(const std::string& path);

/// Verifies the checksum of every image of `path`, prints the corrupted ones, and throws
/// wf::Error when there is one. Returns 0.
int verify_pack(const std::string& path);

}  // namespace wf
