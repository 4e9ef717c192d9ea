// Solvers of a flow process.
#pragma once

#include "diffusion/solver.h"

#include <memory>

namespace wf {

/// The ordinary differential equation dx = v dt from t = 1 to 0, by Euler's method.
std::unique_ptr<Solver> make_euler(const ProcessOptions& process, const SolverOptions& options);

/// The same by Heun's method: second order, two evaluations in every step but the last.
std::unique_ptr<Solver> make_heun(const ProcessOptions& process, const SolverOptions& options);

/// The stochastic equation with diffusion 2 t, by Euler and Maruyama, down to
/// SolverOptions::last_step, then one step to the mean without noise: the "SDE" of SiT's and REPA's
/// tables (samplers.py there).
std::unique_ptr<Solver> make_sde(const ProcessOptions& process, const SolverOptions& options);

}  // namespace wf
