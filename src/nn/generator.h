#pragma once

#include <ATen/Context.h>

namespace wf {

/// `generator`, or the default one of `device` when it is undefined.
inline at::Generator generator_or_default(const at::Generator& generator, c10::Device device) {
  return generator.defined() ? generator : at::globalContext().defaultGenerator(device);
}

}  // namespace wf
