// All keys of the configuration. Reading, overriding, dumping, documentation, defaults, agreement
// between ranks and the differences logged on resuming are derived from these lines.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/core/check.h"

#include "config/generation_keys.h"
#include "config/key.h"

#include <set>
#include <string>
#include <vector>

namespace wf {

template <typename C, typename V>
void visit_image_sets(C& c, V&& v) {
  const auto path = [&](auto& field, const char* name, const char* help) {
    v(field, "", {name, help, {}, Scope::machine});
  };
  path(c.data.train, "DATA.TRAIN",
       "training images, relative to DATA.DATA_PATH: a directory, a .wfpack, .zip or .tar file, or "
       "shards such as train-{000..146}.tar; empty: found by their names");
  path(c.data.val, "DATA.VAL", "the same of the validation images");
  path(c.data.train_labels, "DATA.TRAIN_LABELS",
       "text file with the classes of the images in tar files that have none themselves");
  path(c.data.val_labels, "DATA.VAL_LABELS", "the same of the validation images");
  path(c.data.train_subset, "DATA.TRAIN_SUBSET",
       "text file with the names of the training images to use, one a line; empty: all");
  path(c.data.val_subset, "DATA.VAL_SUBSET", "the same of the validation images");
  path(c.data.class_map, "DATA.CLASS_MAP",
       "text file of classes, one a line, and their numbers or names; others are left out");
}

/// Calls v(field, default, key) for every key, in the order of the reference implementation's tree.
template <typename C, typename V>
void visit_data(C& c, V&& v) {
  v(c.data.batch_size, 128,
    {"DATA.BATCH_SIZE",
     "images per process and micro-batch (an optimizer step takes TRAIN.ACCUMULATION_STEPS of "
     "them)",
     at_least(1)});
  v(c.data.data_path, "",
    {"DATA.DATA_PATH",
     "directory with train/CLASS/* and val/CLASS/*, train.wfpack and val.wfpack, or tar files",
     {},
     Scope::machine});
  visit_image_sets(c, v);
  v(c.data.dataset, DatasetKind::imagenet,
    {"DATA.DATASET",
     "imagenet: any image directory, zip or packed file; cifar100: its binary format; latents: "
     "encoded images for wfm_dit, see diffusion.md"});
  v(c.data.img_size, 224,
    {"DATA.IMG_SIZE", "input resolution, pixels", between(1, 16384), Scope::evaluation});
  v(c.data.interpolation, InterpolationMode::bicubic,
    {"DATA.INTERPOLATION",
     "resize filter; random: bilinear or bicubic at random in training, bilinear in evaluation",
     {},
     Scope::evaluation});
  v(c.data.fast_decode, true,
    {"DATA.FAST_DECODE",
     "training: decode only the crop region, at reduced DCT scale when the image is much larger"});
  v(c.data.latent_scale, 0.0,
    {"DATA.LATENT_SCALE",
     "latents: the stored numbers times this (0.18215 for Stable Diffusion's VAE); 0: normalized "
     "as usual for their layout, see diffusion.md",
     at_least(0)});
  v(c.data.zip_mode, false,
    {"DATA.ZIP_MODE",
     "read train.zip with train_map.txt and val.zip with val_map.txt instead of directories"});
  v(c.data.val_split, 0,
    {"DATA.VAL_SPLIT",
     "part of the images of each class in the training set that is held out for validation, "
     "instead "
     "of a validation set; 0: none",
     from_to_below(0, 1)});
}

template <typename C, typename V>
void visit_loading(C& c, V&& v) {
  v(c.data.cache_mode, CacheMode::part,
    {"DATA.CACHE_MODE",
     "read-ahead of zip and packed files: no, part (1 / world size per process) or full; the "
     "processes of a machine share one copy",
     {},
     Scope::machine});
  v(c.data.cache_listing, true,
    {"DATA.CACHE_LISTING",
     "keep the file list of an image directory in the user's cache directory for later runs",
     {},
     Scope::machine});
  v(c.data.real_labels, "",
    {"DATA.REAL_LABELS",
     "real.json with the ImageNet ReaL labels; the evaluation reports accuracy on them too",
     {},
     Scope::machine});
  v(c.data.vae, "",
    {"DATA.VAE",
     "wfm_dit: autoencoder between images and latents, a directory of diffusers' config.json and "
     "weights; images are encoded in training, samples of latents are decoded; see vae.md",
     {},
     Scope::machine});
  v(c.data.pin_memory, true,
    {"DATA.PIN_MEMORY", "use pinned (page-locked) host memory", {}, Scope::machine});
  v(c.data.num_workers, 8,
    {"DATA.NUM_WORKERS", "decoder threads per process; 0 decodes in the training thread",
     between(0, 1024), Scope::machine});
}

template <typename C, typename V>
void visit_model(C& c, V&& v) {
  v(c.model.type, "wfm",
    {"MODEL.TYPE",
     "task and model family; wfm: image classification; wfm_dit: image generation",
     {},
     Scope::evaluation});
  v(c.model.name, "wfm_tiny", {"MODEL.NAME", "model name", {}, Scope::evaluation});
  v(c.model.resume, "",
    {"MODEL.RESUME", "checkpoint to resume from or to evaluate", {}, Scope::machine});
  v(c.model.pretrained, "",
    {"MODEL.PRETRAINED", "weights to initialize the model from", {}, Scope::machine});
  v(c.model.allow_missing, false,
    {"MODEL.ALLOW_MISSING", "accept weights with missing or unexpected tensors", {}, Scope::run});
  v(c.model.num_classes, 1000,
    {"MODEL.NUM_CLASSES", "number of classes", at_least(1), Scope::evaluation});
  v(c.model.dim, 0,
    {"MODEL.DIM", "token dimension; 0: that of the named model", at_least(0), Scope::evaluation});
  v(c.model.depth, 0,
    {"MODEL.DEPTH", "number of blocks; 0: that of the named model", at_least(0),
     Scope::evaluation});
  v(c.model.patch_size, 0,
    {"MODEL.PATCH_SIZE", "patch size, pixels; 0: that of the named model", at_least(0),
     Scope::evaluation});
  v(c.model.linear_predictor, "bilateral",
    {"MODEL.LINEAR_PREDICTOR",
     "how dynamic linear layers predict their weight: static (not at all), gap, linear, nonlinear, "
     "deep or bilateral (as published); see inside_the_model.md",
     {},
     Scope::evaluation});
  v(c.model.conv_predictor, "adaptive",
    {"MODEL.CONV_PREDICTOR",
     "how dynamic convolutions predict their kernels: static (not at all), gap, adaptive (as "
     "published), amp-dir or conv; see inside_the_model.md",
     {},
     Scope::evaluation});
  v(c.model.drop_rate, 0.0,
    {"MODEL.DROP_RATE", "dropout rate before the head", from_to_below(0, 1)});
  v(c.model.drop_path_rate, 0.1,
    {"MODEL.DROP_PATH_RATE",
     "stochastic-depth (drop-path) rate of the last block; rises linearly from 0",
     from_to_below(0, 1)});
  v(c.model.label_smoothing, 0.1,
    {"MODEL.LABEL_SMOOTHING", "label-smoothing epsilon", from_to_below(0, 1)});
}

template <typename C, typename V>
void visit_train(C& c, V&& v) {
  v(c.train.start_epoch, 0,
    {"TRAIN.START_EPOCH", "first epoch of a run that does not resume from a checkpoint",
     at_least(0)});
  v(c.train.epochs, 300, {"TRAIN.EPOCHS", "epochs of the schedule", at_least(1)});
  v(c.train.steps, 0,
    {"TRAIN.STEPS",
     "optimizer steps of the run and its schedule, in place of EPOCHS; 0: EPOCHS decides",
     at_least(0)});
  v(c.train.warmup_epochs, 20,
    {"TRAIN.WARMUP_EPOCHS", "warm-up epochs (linear), included in EPOCHS", at_least(0)});
  v(c.train.warmup_steps, 0,
    {"TRAIN.WARMUP_STEPS", "warm-up steps, in place of WARMUP_EPOCHS; 0: WARMUP_EPOCHS decides",
     at_least(0)});
  v(c.train.cooldown_epochs, 0,
    {"TRAIN.COOLDOWN_EPOCHS", "epochs after EPOCHS, at the last learning rate", at_least(0)});
  v(c.train.weight_decay, 0.05,
    {"TRAIN.WEIGHT_DECAY", "weight decay of parameters with two or more dimensions", at_least(0)});
  v(c.train.base_lr, 5e-4,
    {"TRAIN.BASE_LR", "peak learning rate, for a total batch of 512; see TRAIN.LR_SCALING",
     at_least(0)});
  v(c.train.warmup_lr, 5e-7,
    {"TRAIN.WARMUP_LR", "initial warm-up learning rate; see TRAIN.LR_SCALING", at_least(0)});
  v(c.train.min_lr, 5e-6,
    {"TRAIN.MIN_LR", "cosine: final learning rate; see TRAIN.LR_SCALING", at_least(0)});
  v(c.train.lr_scaling, LrScaling::linear,
    {"TRAIN.LR_SCALING",
     "linear: learning rates scale with the total batch / 512; none: they are used as written"});
  v(c.train.clip_grad, 5.0,
    {"TRAIN.CLIP_GRAD", "gradient-norm clipping threshold; 0 disables clipping", at_least(0)});
  v(c.train.accumulation_steps, 1,
    {"TRAIN.ACCUMULATION_STEPS", "gradient-accumulation steps; part of the total batch",
     between(1, 1 << 20)});
}

template <typename C, typename V>
void visit_weights_and_loss(C& c, V&& v) {
  v(c.train.ema_decay, std::vector<double>{},
    {"TRAIN.EMA_DECAY",
     "EMA decay per optimizer step (0.9999), or a list of several EMAs; 0 disables EMA",
     from_to_below(0, 1)});
  v(c.train.ema_std, std::vector<double>{},
    {"TRAIN.EMA_STD", "relative width (0.05) of an EMA with a power-function profile, or a list",
     between(0, 0.28)});
  v(c.train.ema_snapshot_steps, 0,
    {"TRAIN.EMA_SNAPSHOT_STEPS",
     "optimizer steps between snapshots of the EMA_STD averages, from which wf_ema makes an EMA of "
     "any width; 0: none",
     at_least(0), Scope::run});
  v(c.train.layer_decay, 1.0,
    {"TRAIN.LAYER_DECAY", "layer-wise learning-rate decay; 1 disables it", between(0.01, 1)});
  v(c.train.freeze, "",
    {"TRAIN.FREEZE", "parameters to freeze: comma-separated names or name prefixes"});
  v(c.train.auto_resume, true,
    {"TRAIN.AUTO_RESUME",
     "resume from the newest checkpoint in the run directory; false: refused where there are some",
     {},
     Scope::run});
  v(c.train.loss, LossKind::cross_entropy,
    {"TRAIN.LOSS", "ce: cross-entropy; bce: binary cross-entropy per class"});
  v(c.train.bce_threshold, 0.0,
    {"TRAIN.BCE_THRESHOLD",
     "bce: targets above the threshold become 1, the others 0; 0 keeps soft targets",
     from_to_below(0, 1)});
  v(c.train.use_checkpoint, false,
    {"TRAIN.USE_CHECKPOINT",
     "activation checkpointing: recompute blocks in the backward pass to save memory"});
  v(c.train.cuda_graph, false,
    {"TRAIN.CUDA_GRAPH",
     "run steps as a CUDA graph; the log reports where that is not possible",
     {},
     Scope::run});
}

template <typename C, typename V>
void visit_schedule_and_optimizer(C& c, V&& v) {
  v(c.train.lr_scheduler.name, LrScheduleKind::cosine,
    {"TRAIN.LR_SCHEDULER.NAME", "learning-rate schedule; constant: BASE_LR after the warm-up"});
  v(c.train.lr_scheduler.decay_epochs, 30,
    {"TRAIN.LR_SCHEDULER.DECAY_EPOCHS", "step: epochs between decays", at_least(1)});
  v(c.train.lr_scheduler.decay_rate, 0.1,
    {"TRAIN.LR_SCHEDULER.DECAY_RATE", "step: factor of each decay", between(0, 1)});
  v(c.train.optimizer.name, OptimizerKind::adamw,
    {"TRAIN.OPTIMIZER.NAME", "optimizer; sgd uses Nesterov momentum"});
  v(c.train.optimizer.eps, 1e-8,
    {"TRAIN.OPTIMIZER.EPS", "adamw: term added to the denominator", at_least(0)});
  v(c.train.optimizer.betas, Pair{0.9, 0.999},
    {"TRAIN.OPTIMIZER.BETAS", "adamw: decay rates of the moment estimates", from_to_below(0, 1)});
  v(c.train.optimizer.momentum, 0.9,
    {"TRAIN.OPTIMIZER.MOMENTUM", "sgd: momentum", from_to_below(0, 1)});
}

template <typename C, typename V>
void visit_aug(C& c, V&& v) {
  v(c.aug.crop_padding, 4,
    {"AUG.CROP_PADDING", "IMG_SIZE up to 32: padding of the random crop; 0: no random crop",
     between(0, 32), Scope::evaluation});
  v(c.aug.hflip, 0.5, {"AUG.HFLIP", "probability of a horizontal flip", between(0, 1)});
  v(c.aug.color_jitter, 0.4,
    {"AUG.COLOR_JITTER", "strength of color jitter; used when AUTO_AUGMENT is none or 3a",
     at_least(0)});
  v(c.aug.auto_augment, "rand-m9-mstd0.5-inc1",
    {"AUG.AUTO_AUGMENT", "augmentation policy in timm's notation, or none; see data.md"});
  v(c.aug.repeated, 0,
    {"AUG.REPEATED",
     "repeated augmentation: augmented copies of each image per epoch; 0 disables it",
     between(0, 100)});
  v(c.aug.reprob, 0.25, {"AUG.REPROB", "probability of random erasing", between(0, 1)});
  v(c.aug.remode, ErasingFill::pixel,
    {"AUG.REMODE",
     "fill of erased regions: const (the mean color), rand (one random color) or pixel (random "
     "values)"});
  v(c.aug.recount, 1,
    {"AUG.RECOUNT", "maximum number of erased regions per image", between(1, 100)});
  v(c.aug.mixup, 0.8, {"AUG.MIXUP", "mixup alpha; 0 disables mixup", at_least(0)});
  v(c.aug.cutmix, 1.0, {"AUG.CUTMIX", "cutmix alpha; 0 disables cutmix", at_least(0)});
  v(c.aug.cutmix_minmax, std::optional<Pair>{},
    {"AUG.CUTMIX_MINMAX",
     "cutmix: range of the box side as a fraction of the image side, instead of alpha; null: use "
     "alpha",
     between(0, 1)});
  v(c.aug.mixup_prob, 1.0,
    {"AUG.MIXUP_PROB", "probability of mixup or cutmix per draw", between(0, 1)});
  v(c.aug.mixup_switch_prob, 0.5,
    {"AUG.MIXUP_SWITCH_PROB", "probability of cutmix when both are enabled", between(0, 1)});
  v(c.aug.mixup_mode, MixupMode::batch,
    {"AUG.MIXUP_MODE", "draw mixing parameters per batch, per pair or per element"});
}

template <typename C, typename V>
void visit_dist(C& c, V&& v) {
  v(c.dist.timeout_s, 600.0,
    {"DIST.TIMEOUT_S", "collective timeout, seconds", between(0.1, 86400), Scope::run});
  v(c.dist.bucket_mb, 0,
    {"DIST.BUCKET_MB", "all-reduce bucket size, MiB; 0: 1/8 of the gradients, clamped to 1–25",
     between(0, 4096)});
  v(c.dist.find_unused, false,
    {"DIST.FIND_UNUSED", "detect unused parameters in every step (costs a graph traversal)"});
  v(c.dist.compress, GradientCompression::none,
    {"DIST.COMPRESS", "gradient compression for the all-reduce"});
}

template <typename C, typename V>
void visit_test(C& c, V&& v) {
  v(c.test.crop, true,
    {"TEST.CROP",
     "resize to 256/224 of IMG_SIZE and center-crop; false: resize directly",
     {},
     Scope::evaluation});
  v(c.test.every_epochs, 1,
    {"TEST.EVERY_EPOCHS",
     "epochs between validations; the last one is always validated; 0: only that one", at_least(0),
     Scope::run});
  v(c.test.every_steps, 0,
    {"TEST.EVERY_STEPS", "optimizer steps between validations; 0: none", at_least(0), Scope::run});
  v(c.test.ema, false,
    {"TEST.EMA", "--eval: evaluate the EMA weights of the checkpoint", {}, Scope::run});
}

template <typename C, typename V>
void visit_run(C& c, V&& v) {
  v(c.amp, AmpMode::off,
    {"AMP",
     "automatic mixed precision; auto: on GPUs, and on CPUs with bfloat16 instructions",
     {},
     Scope::evaluation});
  v(c.amp_dtype, AmpDtype::bfloat16,
    {"AMP_DTYPE",
     "dtype of matrix products in mixed precision; float16 enables loss scaling",
     {},
     Scope::evaluation});
  v(c.amp_residual, AmpResidual::float32,
    {"AMP_RESIDUAL",
     "dtype of the tokens between layers in mixed precision; autocast: PyTorch's choice on the "
     "device",
     {},
     Scope::evaluation});
  v(c.output, "output",
    {"OUTPUT", "parent directory; a run writes to OUTPUT/NAME/TAG", {}, Scope::machine});
  v(c.tag, "default", {"TAG", "name of the run", {}, Scope::run});
  v(c.save_freq, 1, {"SAVE_FREQ", "epochs between checkpoints", at_least(1), Scope::run});
  v(c.save_steps, 0,
    {"SAVE_STEPS", "steps between checkpoints within an epoch; 0: none", at_least(0), Scope::run});
  v(c.save_keep, 3,
    {"SAVE_KEEP", "number of recent checkpoints to keep, besides max_acc.pth", at_least(1),
     Scope::run});
  v(c.print_freq, 100, {"PRINT_FREQ", "steps between log lines", at_least(1), Scope::run});
  v(c.tensorboard, true,
    {"TENSORBOARD", "write event files for TensorBoard into the run directory", {}, Scope::run});
  v(c.seed, 0, {"SEED", "random seed", seed()});
  v(c.eval_mode, false, {"EVAL_MODE", "evaluate the model and exit", {}, Scope::run});
  v(c.throughput_mode, false,
    {"THROUGHPUT_MODE",
     "measure inference throughput on images of zeros, which needs no data, and exit",
     {},
     Scope::run});
  v(c.device, DeviceChoice::automatic,
    {"DEVICE", "auto uses CUDA when available", {}, Scope::machine});
  v(c.threads, 0,
    {"THREADS", "CPU threads per operator; 0: OMP_NUM_THREADS, or the CPUs of this process",
     between(0, 1024), Scope::machine});
  v(c.local_rank, 0,
    {"LOCAL_RANK",
     "accepted and ignored: each process has it from torchrun's environment",
     {},
     Scope::machine});
}

template <typename C, typename V>
void visit(C& c, V&& v) {
  visit_data(c, v);
  visit_loading(c, v);
  visit_model(c, v);
  visit_train(c, v);
  visit_weights_and_loss(c, v);
  visit_schedule_and_optimizer(c, v);
  visit_aug(c, v);
  visit_diffusion(c, v);
  visit_sample(c, v);
  visit_fid(c, v);
  visit_dist(c, v);
  visit_test(c, v);
  visit_run(c, v);
}

/// All key names, in order.
std::vector<std::string> key_names();

/// The names of the keys of these scopes.
std::set<std::string> key_names(const std::set<Scope>& scopes);

/// The help text of a key. Throws wf::Error for a name that is not a key.
std::string key_help(const std::string& name);

}  // namespace wf
