// Solvers of a gaussian process.
#pragma once

#include "diffusion/solver.h"

#include <memory>

namespace wf {

/// Ancestral sampling over evenly spaced steps (Ho et al. 2020; p_sample in DiT's
/// gaussian_diffusion.py).
std::unique_ptr<Solver> make_ddpm(const ProcessOptions& process, const SolverOptions& options);

/// Song et al. 2021, over every n-th step (ddim_sample there).
std::unique_ptr<Solver> make_ddim(const ProcessOptions& process, const SolverOptions& options);

/// DPM-Solver++(2M) of Lu et al. 2022: second order, midpoint; the last step, to no noise at all,
/// is of first order. The steps are those of diffusers' DPMSolverMultistepScheduler.
std::unique_ptr<Solver> make_dpmpp_2m(const ProcessOptions& process, const SolverOptions& options);

}  // namespace wf
