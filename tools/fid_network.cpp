#include "weightformer/core/check.h"
#include "weightformer/models/inception.h"
#include "weightformer/serialization/weights.h"

#include "config/load.h"
#include "core/text.h"
#include "engine/build.h"
#include "fid_inputs.h"
#include "weights_checksum.h"

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

std::unique_ptr<FeatureNetwork> load_feature_network(const FidRequest& request) {
  Config config;
  set_key(config, "DEVICE", request.device, "--device");
  const auto device = build_device(config);
  WF_CHECK(!request.weights.empty(), "give --weights FILE: the FID's Inception-v3 ",
           "(pt_inception-2015-12-05-6726825d.pth of pytorch-fid, or torch-fidelity's)");
  auto model = load_inception(request.weights);
  const auto checksum = weights_checksum(*model);
  model->to(device);
  return inception_network(model, parse_inception_input(request.input), checksum, device);
}

}  // namespace wf
