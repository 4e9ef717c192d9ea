#include "engine/fidelity/load_network.h"

#include "weightformer/core/check.h"
#include "weightformer/models/inception.h"
#include "weightformer/serialization/weights.h"

#include "core/text.h"
#include "engine/weights_checksum.h"

namespace wf {
namespace {

Inception load_inception(const std::string& path) {
  auto weights = read_weights(path);
  bool of_torchvision = false;
  for (auto it = weights.tensors.begin(); it != weights.tensors.end();) {
    of_torchvision = of_torchvision || starts_with(it->first, "AuxLogits.");
    // Counted in training and used by nothing.
    it = ends_with(it->first, ".num_batches_tracked") ? weights.tensors.erase(it) : std::next(it);
  }
  WF_CHECK(!of_torchvision, path, ": torchvision's Inception-v3; the FID needs the weights of ",
           "2015-12-05, such as pytorch-fid's pt_inception-2015-12-05-6726825d.pth");
  Inception model;
  try {
    load_weights(*model, weights.tensors, path);
  } catch (const Error& problem) {
    throw Error(str("not the Inception-v3 of the FID (pt_inception-2015-12-05-6726825d.pth): ",
                    problem.what()));
  }
  return model;
}

}  // namespace

std::unique_ptr<FeatureNetwork> load_inception_network(const std::string& path,
                                                       const std::string& input,
                                                       c10::Device device) {
  auto model = load_inception(path);
  const auto checksum = weights_checksum(*model);
  model->to(device);
  return inception_network(model, parse_inception_input(input), checksum, device);
}

}  // namespace wf
