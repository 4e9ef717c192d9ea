#pragma once

#include "weightformer/data/image.h"

#include <string>

namespace wf {

bool is_jpeg(const std::string& bytes);

/// See decode_image().
Image decode_jpeg(const std::string& bytes, const std::string& name);

}  // namespace wf
