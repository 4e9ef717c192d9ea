#pragma once

#include "weightformer/config/config.h"
#include "weightformer/engine/task.h"
#include "weightformer/serialization/weights.h"

#include <string>

namespace wf {

enum class LoadPurpose {
  evaluation,  ///< TEST.EMA selects the EMA weights; the head must match
  training,    ///< head parameters keep their initial values if the file has another class count
};

/// The weights of a file, opened before the model exists: a task needs to know what the outputs of
/// the weights mean. Throws wf::Error when the file cannot be read.
class PretrainedWeights {
 public:
  PretrainedWeights(const Config& config, std::string file, LoadPurpose purpose);

  /// Class names and similar metadata of the file, if present.
  Metadata metadata() const;

  /// Copies the weights into `model` with MODEL.ALLOW_MISSING, and logs what was not loaded. Can be
  /// called once.
  void load_into(Model& model);

 private:
  std::string file_;
  LoadOptions options_;
  Weights weights_;
};

}  // namespace wf
