// The values of the DIFFUSION and SAMPLE keys that allow a fixed set of names; see enums.h.
#pragma once

#include <array>
#include <utility>

namespace wf {

/// DIFFUSION.PROCESS. gaussian: DDPM (Ho et al. 2020) over discrete steps; flow: flow matching on
/// the linear path between data (t = 0) and noise (t = 1).
enum class ProcessKind { gaussian, flow };
constexpr auto enum_names(ProcessKind) {
  return std::array{std::pair{"gaussian", ProcessKind::gaussian},
                    std::pair{"flow", ProcessKind::flow}};
}

/// DIFFUSION.BETAS.
enum class BetaKind { linear, cosine };
constexpr auto enum_names(BetaKind) {
  return std::array{std::pair{"linear", BetaKind::linear}, std::pair{"cosine", BetaKind::cosine}};
}

/// DIFFUSION.PREDICTION of a gaussian process: what the network estimates. A flow process always
/// predicts its velocity, noise - data.
enum class PredictionKind { epsilon, v, x0 };
constexpr auto enum_names(PredictionKind) {
  return std::array{std::pair{"epsilon", PredictionKind::epsilon},
                    std::pair{"v", PredictionKind::v}, std::pair{"x0", PredictionKind::x0}};
}

/// DIFFUSION.TIMESTEPS: the distribution of the training times.
enum class TimestepLawKind { uniform, loss_aware, logit_normal, lognormal };
constexpr auto enum_names(TimestepLawKind) {
  return std::array{std::pair{"uniform", TimestepLawKind::uniform},
                    std::pair{"loss_aware", TimestepLawKind::loss_aware},
                    std::pair{"logit_normal", TimestepLawKind::logit_normal},
                    std::pair{"lognormal", TimestepLawKind::lognormal}};
}

/// SAMPLE.SAMPLER. ddpm, ddim, dpmpp_2m belong to a gaussian process; euler, heun, sde to a flow.
enum class SolverKind { ddpm, ddim, dpmpp_2m, euler, heun, sde };
constexpr auto enum_names(SolverKind) {
  return std::array{
      std::pair{"ddpm", SolverKind::ddpm},         std::pair{"ddim", SolverKind::ddim},
      std::pair{"dpmpp_2m", SolverKind::dpmpp_2m}, std::pair{"euler", SolverKind::euler},
      std::pair{"heun", SolverKind::heun},         std::pair{"sde", SolverKind::sde}};
}

/// SAMPLE.GUIDED_CHANNELS: the channels that classifier-free guidance changes. three: the first
/// three, as published for DiT; all: every channel of the prediction.
enum class GuidedChannels { three, all };
constexpr auto enum_names(GuidedChannels) {
  return std::array{std::pair{"three", GuidedChannels::three},
                    std::pair{"all", GuidedChannels::all}};
}

}  // namespace wf
