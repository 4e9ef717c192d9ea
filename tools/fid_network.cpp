#include "weightformer/core/check.h"
#include "weightformer/serialization/weights.h"

#include "checkpoint/saved_config.h"
#include "config/load.h"
#include "engine/build.h"
#include "engine/classification/build.h"
#include "engine/fidelity/load_network.h"
#include "fid_inputs.h"

namespace wf {
namespace {

// The classifier in the checkpoint request.features, its EMA weights if it has them.
std::unique_ptr<FeatureNetwork> load_classifier_network(const FidRequest& request,
                                                        c10::Device device) {
  const auto& path = request.features;
  WeightsOptions wanted{/*ema=*/false, Checksums::while_loading};
  auto weights = read_weights(path, wanted);
  if (weights.has_ema) {
    wanted.ema = true;
    weights = read_weights(path, wanted);
  }
  const auto config = evaluation_config(Config(), weights, path);
  WF_CHECK(config.model.type == "wfm", path, ": MODEL.TYPE is ", config.model.type,
           ", and --features takes a classifier");
  auto model = build_classifier(config, device);
  load_weights(*model, std::move(weights), path);
  return classifier_network(std::move(model), build_eval_transform(config), config.model.name,
                            device);
}

}  // namespace

std::unique_ptr<FeatureNetwork> load_feature_network(const FidRequest& request) {
  Config config;
  set_key(config, "DEVICE", request.device, "--device");
  const auto device = build_device(config);
  if (!request.features.empty()) return load_classifier_network(request, device);
  WF_CHECK(!request.weights.empty(), "give --weights FILE: the FID's Inception-v3 ",
           "(pt_inception-2015-12-05-6726825d.pth of pytorch-fid, or torch-fidelity's); or ",
           "--features FILE, a classifier of wf_train");
  return load_inception_network(request.weights, request.input, device);
}

}  // namespace wf
