// What wf_train does besides training.
#pragma once

#include "weightformer/engine/trainer.h"

#include "engine/run.h"
#include "engine/tasks.h"

#include <string>

namespace wf {

/// --eval and --throughput: prints one line of JSON. Returns the exit code; throws wf::Error.
int evaluate_or_time(const Run& run);

/// Logs parameters and multiply-accumulates of the model.
void log_cost(const Run& run, Model& model);

/// --dry-run: trains one step and prints what the run will be like; writes no file.
int dry_run(const Run& run);

/// --batch-size auto: the configuration with a micro-batch that fits in memory; that of the run
/// itself when it is resumed. See fitting_batch().
Config with_fitting_batch(const Run& run);

/// Adds the observers that write what people look at. `run` and `setup` must outlive the training.
void add_reports(Trainer& trainer, const Run& run, const TaskSetup& setup);

/// --list-models: a table of the names that MODEL.NAME takes.
std::string list_models();

}  // namespace wf
