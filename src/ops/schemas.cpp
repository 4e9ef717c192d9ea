#include "ops/schemas.h"

#include <torch/library.h>

TORCH_LIBRARY_FRAGMENT(wf, m) {
  for (const char* schema : wf::kOperatorSchemas) m.def(schema);
}
