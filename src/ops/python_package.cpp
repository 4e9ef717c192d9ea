// What the Python package (tools/python/weightformer/library.py) asks of this library besides the
// operators.

#include "weightformer/core/memory.h"

#include <torch/headeronly/version.h>

extern "C" {

// The package reads this text from the file before it loads the library: loading one that was built
// for another torch may crash.
extern const char wf_built_for_torch[];
[[gnu::used]] const char wf_built_for_torch[] = "weightformer: built for torch " TORCH_VERSION;

void wf_keep_freed_memory() { wf::keep_freed_memory(); }
}
