#include "weightformer/core/check.h"
#include "weightformer/optim/ema.h"
#include "weightformer/serialization/safetensors.h"

#include "checkpoint/ema_snapshots.h"
#include "core/mapped_file.h"
#include "optim/posthoc_ema.h"
#include "serialization/tensor_file.h"
#include "serialization/verify.h"

#include <torch/types.h>

namespace wf {
namespace {

// A snapshot and its share in the result.
struct Term {
  std::shared_ptr<MappedFile> file;
  Safetensors content;
  double weight;
};

Term open_term(const std::string& path, double weight) {
  Term term{open_tensors(path), {}, weight};
  term.content = read_safetensors(term.file);
  verify(*term.file, term.content.checksums);
  return term;
}

// Their weighted sum, as `like`.
at::Tensor sum_of(const std::vector<Term>& terms, const std::string& name, const at::Tensor& like) {
  auto sum = torch::zeros(like.sizes(), torch::kDouble);
  for (const auto& term : terms) {
    const auto& path = term.file->path();
    const auto found = term.content.tensors.find(name);
    WF_CHECK(found != term.content.tensors.end() && found->second.sizes() == like.sizes(), path,
             ": has no ", name, " ", like.sizes(), ": a snapshot of another model");
    const auto& tensor = found->second;
    WF_CHECK(tensor.isfinite().all().item<bool>(), path, ": ", name,
             " is not finite: the training had diverged; give an earlier --step");
    sum.add_(tensor.to(torch::kDouble), term.weight);
    term.file->release(tensor.const_data_ptr(), tensor.nbytes());
  }
  return sum.to(like.scalar_type());
}

}  // namespace

ReconstructedEma reconstruct_ema(const std::vector<EmaSnapshot>& snapshots, double std,
                                 const std::string& output) {
  std::vector<EmaProfile> profiles;
  std::vector<std::string> paths;
  for (const auto& snapshot : snapshots) {
    for (const auto& [width, path] : snapshot.files) {
      profiles.push_back({static_cast<double>(snapshot.step), EmaRule::power_exponent(width)});
      paths.push_back(path);
    }
  }
  const EmaProfile target{static_cast<double>(snapshots.back().step), EmaRule::power_exponent(std)};
  const auto fit = fit_profile(profiles, target);
  std::vector<Term> terms;
  for (size_t i = 0; i < paths.size(); ++i) terms.push_back(open_term(paths[i], fit.weights[i]));
  const auto& last = terms.back().content;
  Safetensors result{{}, last.metadata};
  result.metadata.erase(kPreviousSnapshot);
  for (const auto& [name, tensor] : last.tensors) {
    result.tensors[name] =
        tensor.is_floating_point() ? sum_of(terms, name, tensor) : tensor.clone();
  }
  write_safetensors(output, result);
  return {fit.error, paths.size()};
}

}  // namespace wf
