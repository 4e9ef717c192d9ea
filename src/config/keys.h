// Every key of the configuration, once: reading, overriding, dumping, documentation and defaults
// all follow from these lines.
#pragma once

#include "weightformer/config/config.h"
#include "weightformer/core/check.h"

#include <limits>
#include <string>
#include <vector>

namespace wf {

/// What a value must satisfy beyond its type.
struct Rule {
  static constexpr double kUnlimited = std::numeric_limits<double>::infinity();
  double min = -kUnlimited;
  double max = kUnlimited;
  bool below_max = false;  ///< max itself is not allowed
  std::vector<std::string> choices = {};
};

inline Rule at_least(double min) { return {min, Rule::kUnlimited, false, {}}; }
inline Rule between(double min, double max) { return {min, max, false, {}}; }
inline Rule from_to_below(double min, double max) { return {min, max, true, {}}; }
inline Rule one_of(std::vector<std::string> choices) {
  return {-Rule::kUnlimited, Rule::kUnlimited, false, std::move(choices)};
}

/// Calls v(field, key, default, help, rule) for every key, in the order of the published tree.
template <typename C, typename V>
void visit_data(C& c, V&& v) {
  v(c.data.batch_size, "DATA.BATCH_SIZE", 128, "pictures a step, per process", at_least(1));
  v(c.data.data_path, "DATA.DATA_PATH", "",
    "folder with train/CLASS/* and val/CLASS/*, or train.wfpack and val.wfpack", Rule{});
  v(c.data.dataset, "DATA.DATASET", "imagenet",
    "imagenet: any folder, zip or packed file; cifar100: its binary version",
    one_of({"imagenet", "cifar100"}));
  v(c.data.img_size, "DATA.IMG_SIZE", 224, "side of the square the model sees, pixels",
    between(1, 16384));
  v(c.data.interpolation, "DATA.INTERPOLATION", "bicubic",
    "how pictures are resized; random: either in training, bilinear in evaluation",
    one_of({"bicubic", "bilinear", "random"}));
  v(c.data.fast_decode, "DATA.FAST_DECODE", true,
    "training decodes what a crop needs, large pictures at a reduced size", Rule{});
  v(c.data.zip_mode, "DATA.ZIP_MODE", false,
    "read train.zip by train_map.txt, and val the same, instead of folders", Rule{});
  v(c.data.cache_mode, "DATA.CACHE_MODE", "part",
    "what of a zip or packed file is read into memory ahead: nothing, all, or 1 / processes of it "
    "by each process; a machine's processes share one copy",
    one_of({"no", "full", "part"}));
  v(c.data.cache_listing, "DATA.CACHE_LISTING", true,
    "keep the list of a folder's files in the user's cache folder, for the next start", Rule{});
  v(c.data.real_labels, "DATA.REAL_LABELS", "",
    "real.json of ImageNet's validation set, to evaluate with its labels too", Rule{});
  v(c.data.pin_memory, "DATA.PIN_MEMORY", true, "page-locked batches for a GPU", Rule{});
  v(c.data.num_workers, "DATA.NUM_WORKERS", 8, "decoding threads; 0: the training thread decodes",
    between(0, 1024));
}

template <typename C, typename V>
void visit_model(C& c, V&& v) {
  v(c.model.type, "MODEL.TYPE", "wfm", "family of the model", one_of({"wfm"}));
  v(c.model.name, "MODEL.NAME", "wfm_tiny", "which model", Rule{});
  v(c.model.resume, "MODEL.RESUME", "", "checkpoint to go on from, or to evaluate", Rule{});
  v(c.model.pretrained, "MODEL.PRETRAINED", "", "weights to start from", Rule{});
  v(c.model.allow_missing, "MODEL.ALLOW_MISSING", false,
    "accept weights that lack tensors of the model, or have more", Rule{});
  v(c.model.num_classes, "MODEL.NUM_CLASSES", 1000, "outputs of the model", at_least(1));
  v(c.model.dim, "MODEL.DIM", 0, "token width; 0: that of the named model", at_least(0));
  v(c.model.depth, "MODEL.DEPTH", 0, "number of blocks; 0: that of the named model", at_least(0));
  v(c.model.patch_size, "MODEL.PATCH_SIZE", 0, "side of a patch; 0: that of the named model",
    at_least(0));
  v(c.model.drop_rate, "MODEL.DROP_RATE", 0.0, "dropout", from_to_below(0, 1));
  v(c.model.drop_path_rate, "MODEL.DROP_PATH_RATE", 0.1, "stochastic depth of the last block",
    from_to_below(0, 1));
  v(c.model.label_smoothing, "MODEL.LABEL_SMOOTHING", 0.1, "share of a target spread over classes",
    from_to_below(0, 1));
}

template <typename C, typename V>
void visit_train(C& c, V&& v) {
  v(c.train.start_epoch, "TRAIN.START_EPOCH", 0, "first epoch of a run without a checkpoint",
    at_least(0));
  v(c.train.epochs, "TRAIN.EPOCHS", 300, "epochs of the schedule", at_least(1));
  v(c.train.warmup_epochs, "TRAIN.WARMUP_EPOCHS", 20, "of these, with a rising rate", at_least(0));
  v(c.train.cooldown_epochs, "TRAIN.COOLDOWN_EPOCHS", 0, "more epochs, at the last rate",
    at_least(0));
  v(c.train.weight_decay, "TRAIN.WEIGHT_DECAY", 0.05, "of tensors with two or more dimensions",
    at_least(0));
  v(c.train.base_lr, "TRAIN.BASE_LR", 5e-4, "highest rate, at a total batch of 512; it scales",
    at_least(0));
  v(c.train.warmup_lr, "TRAIN.WARMUP_LR", 5e-7, "first rate; it scales too", at_least(0));
  v(c.train.min_lr, "TRAIN.MIN_LR", 5e-6, "last rate of cosine; it scales too", at_least(0));
  v(c.train.clip_grad, "TRAIN.CLIP_GRAD", 5.0, "largest total gradient norm; 0: no limit",
    at_least(0));
  v(c.train.accumulation_steps, "TRAIN.ACCUMULATION_STEPS", 1,
    "batches whose gradients make one step; the rates scale with it", between(1, 1 << 20));
  v(c.train.ema_decay, "TRAIN.EMA_DECAY", 0.0,
    "keep averaged weights too, with this decay a step (0.9999); 0: none", from_to_below(0, 1));
  v(c.train.layer_decay, "TRAIN.LAYER_DECAY", 1.0,
    "each layer learns this much slower than the one above it; 1: all alike", between(0.01, 1));
  v(c.train.freeze, "TRAIN.FREEZE", "",
    "parameters that stay as they are: names or their beginnings, by commas", Rule{});
  v(c.train.auto_resume, "TRAIN.AUTO_RESUME", true, "go on from the run folder's checkpoint",
    Rule{});
  v(c.train.loss, "TRAIN.LOSS", "ce", "cross-entropy, or binary cross-entropy of each class",
    one_of({"ce", "bce"}));
  v(c.train.bce_threshold, "TRAIN.BCE_THRESHOLD", 0.0,
    "bce: targets above it become 1, the others 0; 0: as they are", from_to_below(0, 1));
  v(c.train.use_checkpoint, "TRAIN.USE_CHECKPOINT", false,
    "recompute blocks in the backward pass to save memory", Rule{});
  v(c.train.lr_scheduler.name, "TRAIN.LR_SCHEDULER.NAME", "cosine", "shape of the schedule",
    one_of({"cosine", "linear", "step"}));
  v(c.train.lr_scheduler.decay_epochs, "TRAIN.LR_SCHEDULER.DECAY_EPOCHS", 30,
    "step: epochs between decays", at_least(1));
  v(c.train.lr_scheduler.decay_rate, "TRAIN.LR_SCHEDULER.DECAY_RATE", 0.1,
    "step: factor of a decay", between(0, 1));
  v(c.train.optimizer.name, "TRAIN.OPTIMIZER.NAME", "adamw", "sgd has Nesterov momentum",
    one_of({"adamw", "sgd"}));
  v(c.train.optimizer.eps, "TRAIN.OPTIMIZER.EPS", 1e-8, "adamw", at_least(0));
  v(c.train.optimizer.betas, "TRAIN.OPTIMIZER.BETAS", Pair{0.9, 0.999}, "adamw",
    from_to_below(0, 1));
  v(c.train.optimizer.momentum, "TRAIN.OPTIMIZER.MOMENTUM", 0.9, "sgd", from_to_below(0, 1));
}

template <typename C, typename V>
void visit_aug(C& c, V&& v) {
  v(c.aug.crop_padding, "AUG.CROP_PADDING", 4,
    "pictures of at most 32 pixels: random crop with this padding; 0: none", between(0, 32));
  v(c.aug.hflip, "AUG.HFLIP", 0.5, "probability of a horizontal flip", between(0, 1));
  v(c.aug.color_jitter, "AUG.COLOR_JITTER", 0.4, "colour jitter when AUTO_AUGMENT is none or 3a",
    at_least(0));
  v(c.aug.auto_augment, "AUG.AUTO_AUGMENT", "rand-m9-mstd0.5-inc1",
    "policy of operations, or none: see data.md", Rule{});
  v(c.aug.repeated, "AUG.REPEATED", 0,
    "times a picture comes in an epoch, of fewer pictures; 0: once", between(0, 100));
  v(c.aug.reprob, "AUG.REPROB", 0.25, "probability of random erasing", between(0, 1));
  v(c.aug.remode, "AUG.REMODE", "pixel", "what fills the erased part",
    one_of({"const", "rand", "pixel"}));
  v(c.aug.recount, "AUG.RECOUNT", 1, "most parts erased of a picture", between(1, 100));
  v(c.aug.mixup, "AUG.MIXUP", 0.8, "alpha of mixup; 0: off", at_least(0));
  v(c.aug.cutmix, "AUG.CUTMIX", 1.0, "alpha of cutmix; 0: off", at_least(0));
  v(c.aug.cutmix_minmax, "AUG.CUTMIX_MINMAX", std::optional<Pair>{},
    "range of the cut's share of the side, in place of alpha; null: none", between(0, 1));
  v(c.aug.mixup_prob, "AUG.MIXUP_PROB", 1.0, "probability of either", between(0, 1));
  v(c.aug.mixup_switch_prob, "AUG.MIXUP_SWITCH_PROB", 0.5, "of cutmix when both are on",
    between(0, 1));
  v(c.aug.mixup_mode, "AUG.MIXUP_MODE", "batch", "who shares a draw",
    one_of({"batch", "pair", "elem"}));
}

template <typename C, typename V>
void visit_dist(C& c, V&& v) {
  v(c.dist.timeout_s, "DIST.TIMEOUT_S", 600.0,
    "seconds of silence after which another process counts as lost", between(0.1, 86400));
  v(c.dist.bucket_mb, "DIST.BUCKET_MB", 0,
    "MiB of gradients that travel together; 0: an eighth of them, from 1 to 25", between(0, 4096));
  v(c.dist.find_unused, "DIST.FIND_UNUSED", false,
    "look every step for parameters that the loss does not reach", Rule{});
  v(c.dist.compress, "DIST.COMPRESS", "none", "bf16: half the bytes, gradients rounded",
    one_of({"none", "bf16"}));
}

template <typename C, typename V>
void visit_run(C& c, V&& v) {
  v(c.test.crop, "TEST.CROP", true, "evaluate the centre of a larger resize", Rule{});
  v(c.test.ema, "TEST.EMA", false, "evaluate the averaged weights of a checkpoint", Rule{});
  v(c.amp, "AMP", false, "mixed precision", Rule{});
  v(c.amp_dtype, "AMP_DTYPE", "bfloat16", "of mixed precision; float16 scales the loss",
    one_of({"bfloat16", "float16"}));
  v(c.output, "OUTPUT", "output", "runs go to OUTPUT/NAME/TAG", Rule{});
  v(c.tag, "TAG", "default", "name of the run", Rule{});
  v(c.save_freq, "SAVE_FREQ", 1, "epochs between checkpoints", at_least(1));
  v(c.save_steps, "SAVE_STEPS", 0, "steps between checkpoints inside an epoch; 0: none",
    at_least(0));
  v(c.save_keep, "SAVE_KEEP", 3, "last checkpoints kept; max_acc.pth is kept beside them",
    at_least(1));
  v(c.print_freq, "PRINT_FREQ", 100, "steps between log lines", at_least(1));
  v(c.seed, "SEED", 0, "of everything random", at_least(0));
  v(c.eval_mode, "EVAL_MODE", false, "evaluate and end", Rule{});
  v(c.throughput_mode, "THROUGHPUT_MODE", false, "time the model and end", Rule{});
  v(c.device, "DEVICE", "auto", "auto takes cuda when there is one",
    one_of({"auto", "cpu", "cuda"}));
  v(c.threads, "THREADS", 0, "CPU threads of an operator; 0: LibTorch's choice", between(0, 1024));
  v(c.local_rank, "LOCAL_RANK", 0, "read and ignored: torchrun sets it for each process", Rule{});
}

template <typename C, typename V>
void visit(C& c, V&& v) {
  visit_data(c, v);
  visit_model(c, v);
  visit_train(c, v);
  visit_aug(c, v);
  visit_dist(c, v);
  visit_run(c, v);
}

/// All keys, in order.
std::vector<std::string> key_names();

}  // namespace wf
