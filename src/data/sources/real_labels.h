#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// The "ReaL" labels of ImageNet's validation images (Beyer, Hénaff, Kolesnikov, Zhai, van den
/// Oord 2020, "Are we done with ImageNet?", real.json): a JSON list whose element N - 1 is the list
/// of the classes seen in the image ILSVRC2012_val_0000000N. Any of them is correct; an image
/// without labels is not counted.
///
/// Element i of the result belongs to image i of `images`, which are found by the number
/// in their names; the order of `images` is free. Throws wf::Error in one line when the file is
/// no such list, a class is not below images.classes().size(), or an image has no number or none
/// that the list has.
std::vector<std::vector<int64_t>> real_labels(const Dataset& pictures, const std::string& path);

}  // namespace wf
