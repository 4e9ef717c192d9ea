#pragma once

#include "weightformer/data/image.h"

#include <string>
#include <string_view>

namespace wf {

bool is_jpeg(std::string_view bytes);

/// See decode_image().
Image decode_jpeg(std::string_view bytes, const std::string& name);

}  // namespace wf
