// loops.cpp is compiled once for each instruction set; registration.cpp takes the best one.
#pragma once

#include <torch/csrc/stable/library.h>

namespace wf::stable {

using Library = torch::stable::detail::StableLibrary;

namespace DEFAULT {
void add_loops(Library& m);
}
namespace AVX2 {
void add_loops(Library& m);
}
namespace AVX512 {
void add_loops(Library& m);
}

}  // namespace wf::stable
