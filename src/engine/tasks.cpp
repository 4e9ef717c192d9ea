#include "engine/tasks.h"

#include "engine/classification/build.h"
#include "engine/diffusion/build.h"

namespace wf {

template <auto build>
static std::shared_ptr<Model> model(const Config& config, c10::Device device) {
  return build(config, device);
}

const Registry<TaskEntry>& tasks() {
  static const Registry<TaskEntry> table(
      "MODEL.TYPE",
      {
          {"wfm",
           {check_classification, build_classification, model<build_classifier>,
            classifier_forward}},
          {"wfm_dit", {check_diffusion, build_diffusion, model<build_dit>, dit_forward}},
      });
  return table;
}

}  // namespace wf
