// What a classifier decided for an image, and what it predicted on the way.
#pragma once

#include "weightformer/models/weightformer.h"

#include "engine/inspect/predicted_weights.h"

#include <string>
#include <vector>

namespace wf {

/// A class and its evidence, see ClassEvidence: logit = the sum of the map + bias.
struct ExplainedClass {
  std::string name;
  double probability = 0, logit = 0, bias = 0;
  at::Tensor map;  ///< [h, w] over the token grid
};

struct Explanation {
  std::string name;                       ///< of the image
  at::Tensor pixels;                      ///< [3, H, W] uint8: the input of the model
  std::vector<ExplainedClass> classes;    ///< the most probable first
  std::vector<PredictedWeights> weights;  ///< of the dynamic blocks
};

/// image: [3, H, W] float32, normalized. `names` of the classes may be empty. The `count` most
/// probable classes are explained, fewer when the model has fewer.
Explanation explain(WeightFormerImpl& model, const std::string& name, const at::Tensor& image,
                    const std::vector<std::string>& names, int64_t count);

/// A page about images, side by side: HTML that needs no other file. `model` is its name. All must
/// be of one model.
std::string explanation_page(const std::string& model, const std::vector<Explanation>& images);

}  // namespace wf
