#pragma once

#include "weightformer/core/check.h"

namespace wf {

/// A sample that cannot be read or decoded. Training replaces it by another sample;
/// evaluation counts it as wrong.
class UnreadableSample : public Error {
 public:
  using Error::Error;
};

}  // namespace wf
