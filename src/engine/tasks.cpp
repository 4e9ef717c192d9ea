#include "engine/tasks.h"

#include "engine/classification/build.h"

namespace wf {

const Registry<TaskBuilder>& tasks() {
  static const Registry<TaskBuilder> table("MODEL.TYPE", {
                                                             {"wfm", build_classification},
                                                         });
  return table;
}

}  // namespace wf
