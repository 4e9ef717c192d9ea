#include "engine/tasks.h"

#include "engine/classification/build.h"

namespace wf {

const Registry<TaskEntry>& tasks() {
  static const Registry<TaskEntry> table("MODEL.TYPE",
                                         {
                                             {"wfm", {check_classification, build_classification}},
                                         });
  return table;
}

}  // namespace wf
