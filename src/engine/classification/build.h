// Builds image classification from the configuration.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/models/model.h"

#include "data/augment/mixup.h"
#include "data/transforms.h"
#include "engine/classification/loss.h"
#include "engine/tasks.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace wf {

/// MODEL.* as a network with random weights on `device`.
std::shared_ptr<Classifier> build_classifier(const Config& config, c10::Device device);

/// See TaskEntry::forward.
std::function<void()> classifier_forward(const Config& config, Model& model, int64_t images);

/// MODEL.PATCH_SIZE, or that of the named model.
int64_t patch_size(const Config& config);

/// Warns when patches do not cover images of this size: the last rows or columns have no effect.
void warn_of_uncovered_pixels(const std::string& what, int64_t height, int64_t width,
                              int64_t patch);

/// DATA.* and AUG.* as they concern single images, without augmentations.
TransformOptions transform_options(const Config& config);

std::unique_ptr<Transform> build_eval_transform(const Config& config);
std::unique_ptr<Transform> build_train_transform(const Config& config);

/// AUG.MIXUP*, AUG.CUTMIX*; nullopt when both are off.
std::optional<MixupOptions> build_mixup(const Config& config);

/// TRAIN.LOSS. With mixup, targets are soft and already smoothed; otherwise they are labels and the
/// loss smooths them.
LossOptions build_loss(const Config& config);

/// Throws wf::Error for an unknown model and for an augmentation policy that is not valid.
void check_classification(const Config& config);

/// The task of MODEL.TYPE wfm, on DATA_PATH/train and DATA_PATH/val, which share one numbering of
/// the classes: that of `request.saved` when evaluating, else that of the directories.
TaskSetup build_classification(const Config& config, const TaskRequest& request);

}  // namespace wf
