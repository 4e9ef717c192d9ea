#pragma once

#include <string_view>

namespace wf {

/// Whether the extension is that of a known image format and the file is not hidden.
bool is_picture(std::string_view file);

}  // namespace wf
