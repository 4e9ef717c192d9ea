// The keys of image generation, part of those of config/keys.h.
#pragma once

#include "weightformer/config/config.h"

#include "config/key.h"

namespace wf {

template <typename C, typename V>
void visit_diffusion(C& c, V&& v) {
  auto& d = c.diffusion;
  v(d.process, ProcessKind::gaussian,
    {"DIFFUSION.PROCESS",
     "wfm_dit: gaussian (DDPM) or flow (flow matching on the linear path between data and noise)",
     {},
     Scope::evaluation});
  v(d.steps, 1000,
    {"DIFFUSION.STEPS", "gaussian: steps of the process", between(2, 100000), Scope::evaluation});
  v(d.betas, BetaKind::linear,
    {"DIFFUSION.BETAS", "gaussian: noise schedule", {}, Scope::evaluation});
  v(d.prediction, PredictionKind::epsilon,
    {"DIFFUSION.PREDICTION",
     "gaussian: what the network predicts: epsilon (the noise), v or x0",
     {},
     Scope::evaluation});
  v(d.learn_sigma, true,
    {"DIFFUSION.LEARN_SIGMA",
     "gaussian: the network also predicts the variance",
     {},
     Scope::evaluation});
  v(d.min_snr_gamma, 0.0,
    {"DIFFUSION.MIN_SNR_GAMMA", "gaussian: gamma of the min-SNR loss weight; 0: no weight",
     at_least(0), Scope::evaluation});
  v(d.timesteps, TimestepLawKind::uniform,
    {"DIFFUSION.TIMESTEPS", "distribution of the training times", {}, Scope::evaluation});
  v(d.timestep_mean, 0.0,
    {"DIFFUSION.TIMESTEP_MEAN", "logit_normal, lognormal: mean", {}, Scope::evaluation});
  v(d.timestep_std, 1.0,
    {"DIFFUSION.TIMESTEP_STD", "logit_normal, lognormal: standard deviation", at_least(0),
     Scope::evaluation});
  v(d.shift, 1.0,
    {"DIFFUSION.SHIFT", "shift s of the training times: t -> s t / (1 + (s - 1) t)",
     between(1e-3, 1e3), Scope::evaluation});
  v(d.label_drop, 0.1,
    {"DIFFUSION.LABEL_DROP",
     "probability of training a sample with the null class, for classifier-free guidance",
     between(0, 1), Scope::evaluation});
  v(d.channels, 4,
    {"DIFFUSION.CHANNELS",
     "channels of the data: 4 for latents of Stable Diffusion's VAE; images: "
     "1 (gray) or 3",
     between(1, 1024), Scope::evaluation});
  v(d.val_samples, 2048,
    {"DIFFUSION.VAL_SAMPLES", "samples that the validation loss is computed on, at most",
     at_least(1), Scope::evaluation});
}

template <typename C, typename V>
void visit_sample(C& c, V&& v) {
  auto& s = c.sample;
  v(s.every, 0,
    {"SAMPLE.EVERY", "wfm_dit: optimizer steps between grids of samples in training; 0: none",
     at_least(0), Scope::run});
  v(s.sampler, SolverKind::ddpm,
    {"SAMPLE.SAMPLER",
     "ddpm, ddim or dpmpp_2m for a gaussian process; euler, heun or sde for a "
     "flow",
     {},
     Scope::run});
  v(s.steps, 250, {"SAMPLE.STEPS", "steps of the sampler", between(1, 100000), Scope::run});
  v(s.eta, 0.0,
    {"SAMPLE.ETA", "ddim: 0 is deterministic, 1 adds the noise of DDPM", between(0, 1),
     Scope::run});
  v(s.shift, 1.0,
    {"SAMPLE.SHIFT", "flow: shift of the sampling times, see DIFFUSION.SHIFT", between(1e-3, 1e3),
     Scope::run});
  v(s.clip, false,
    {"SAMPLE.CLIP", "gaussian: clamp the predicted data to [-1, 1] in every step", {}, Scope::run});
  v(s.scale, 4.0,
    {"SAMPLE.SCALE", "scale of classifier-free guidance; 1: none", at_least(0), Scope::run});
  v(s.interval, Pair{0.0, 1.0},
    {"SAMPLE.INTERVAL", "fractions of the process between which guidance is on", between(0, 1),
     Scope::run});
  v(s.guided_channels, GuidedChannels::three,
    {"SAMPLE.GUIDED_CHANNELS",
     "channels that guidance changes: three (the first three, as published for DiT) or all",
     {},
     Scope::run});
  v(s.columns, 8, {"SAMPLE.COLUMNS", "samples of a class in a grid", between(1, 100), Scope::run});
  v(s.batch_size, 64,
    {"SAMPLE.BATCH_SIZE", "samples drawn at a time", between(1, 65536), Scope::run});
  v(s.seed, 0, {"SAMPLE.SEED", "random seed of the samples", seed(), Scope::run});
}

template <typename C, typename V>
void visit_fid(C& c, V&& v) {
  v(c.fid.images, 0,
    {"FID.IMAGES", "wfm_dit: samples that the FID of a validation is computed from; 0: no FID",
     at_least(0), Scope::run});
  v(c.fid.reference, "",
    {"FID.REFERENCE",
     "what they are compared with: a directory of images, .npz of images or of "
     "statistics",
     {},
     Scope::machine});
  v(c.fid.weights, "",
    {"FID.WEIGHTS", "weights of the FID's Inception-v3, see fid.md", {}, Scope::machine});
  v(c.fid.input, "tensorflow",
    {"FID.INPUT", "preprocessing: tensorflow (ADM's evaluator) or pytorch (pytorch-fid)",
     one_of({"tensorflow", "pytorch"}), Scope::run});
  v(c.fid.every, 0,
    {"FID.EVERY",
     "optimizer steps between FIDs, computed in the next validation; 0: in every validation",
     at_least(0), Scope::run});
  v(c.fid.best, false,
    {"FID.BEST",
     "select the best checkpoint by the FID instead of the validation loss",
     {},
     Scope::run});
}

}  // namespace wf
