#include "engine/tasks.h"

#include "engine/classification/build.h"
#include "engine/diffusion/build.h"

namespace wf {

const Registry<TaskEntry>& tasks() {
  static const Registry<TaskEntry> table("MODEL.TYPE",
                                         {
                                             {"wfm", {check_classification, build_classification}},
                                             {"wfm_dit", {check_diffusion, build_diffusion}},
                                         });
  return table;
}

}  // namespace wf
