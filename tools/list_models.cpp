#include "weightformer/models/dit.h"
#include "weightformer/models/model.h"

#include "train.h"

#include <fmt/format.h>

namespace wf {

std::string list_models() {
  constexpr const char* kLine = "{:<12}{:<12}{:>6}{:>6}{:>6}{:>8}\n";
  auto out = fmt::format(kLine, "MODEL.NAME", "MODEL.TYPE", "dim", "depth", "patch", "size");
  for (const auto& name : classifier_names()) {
    const auto o = classifier_options(name);
    out += fmt::format(kLine, name, "wfm", o.dim(), o.depth(), o.patch_size(), o.image_size());
  }
  for (const auto& name : dit_names()) {
    const auto o = dit_options(name);
    out += fmt::format(kLine, name, "wfm_dit", o.dim(), o.depth(), o.patch_size(), o.latent_size());
  }
  return out;
}

}  // namespace wf
