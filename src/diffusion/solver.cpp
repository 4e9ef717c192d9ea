#include "diffusion/solver.h"

#include "weightformer/config/enums.h"
#include "weightformer/core/check.h"

#include "diffusion/flow_solvers.h"
#include "diffusion/gaussian_solvers.h"

namespace wf {
namespace {

struct SolverEntry {
  SolverKind kind;
  ProcessKind process;
  std::unique_ptr<Solver> (*make)(const ProcessOptions&, const SolverOptions&);
};

constexpr SolverEntry kSolvers[] = {
    {SolverKind::ddpm, ProcessKind::gaussian, make_ddpm},
    {SolverKind::ddim, ProcessKind::gaussian, make_ddim},
    {SolverKind::dpmpp_2m, ProcessKind::gaussian, make_dpmpp_2m},
    {SolverKind::euler, ProcessKind::flow, make_euler},
    {SolverKind::heun, ProcessKind::flow, make_heun},
    {SolverKind::sde, ProcessKind::flow, make_sde},
};

}  // namespace

std::unique_ptr<Solver> make_solver(const ProcessOptions& process, const SolverOptions& options) {
  WF_CHECK(options.steps >= 1, "a sampler needs at least one step, got ", options.steps);
  std::string fitting;
  for (const auto& entry : kSolvers) {
    if (entry.process != process.kind) continue;
    if (entry.kind == options.kind) return entry.make(process, options);
    fitting += (fitting.empty() ? "" : ", ") + std::string(name_of(entry.kind));
  }
  throw Error(str("SAMPLE.SAMPLER ", name_of(options.kind), " does not match DIFFUSION.PROCESS ",
                  name_of(process.kind), ": choose one of ", fitting));
}

}  // namespace wf
