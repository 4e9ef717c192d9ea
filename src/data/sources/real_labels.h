#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// The "ReaL" labels of ImageNet's validation pictures (Beyer, Hénaff, Kolesnikov, Zhai, van den
/// Oord 2020, "Are we done with ImageNet?", real.json): a JSON list whose element N - 1 is the list
/// of the classes seen in the picture ILSVRC2012_val_0000000N. Any of them is a right answer; a
/// picture with none does not count.
///
/// Element i of what is returned belongs to picture i of `pictures`, which are found by the number
/// in their names; the order of `pictures` is free. Throws wf::Error in one line when the file is
/// no such list, a class is not below pictures.classes().size(), or a picture has no number or none
/// that the list has.
std::vector<std::vector<int64_t>> real_labels(const Dataset& pictures, const std::string& path);

}  // namespace wf
