// What wf_train does besides training.
#pragma once

#include "engine/run.h"

#include <string>

namespace wf {

/// --eval and --throughput: prints one line of JSON. Returns the exit code; throws wf::Error.
int evaluate_or_time(const Run& run);

/// --list-models: a table of the names that MODEL.NAME takes.
std::string list_models();

}  // namespace wf
