#pragma once

#include <string>

namespace wf {

/// Prints name, class and bytes of every image of the packed file `path`, by tabs. Returns 0.
int list_pack(const std::string& path);

/// Compares the checksum of every image of `path`, prints those that are damaged, and throws
/// wf::Error when there is one. Returns 0.
int verify_pack(const std::string& path);

}  // namespace wf
