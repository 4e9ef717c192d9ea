#pragma once

#include "data/dataset.h"

#include <string>
#include <vector>

namespace wf {

/// The class of each of `images` by the text file `path`, as a name or a number from 0. A line is a
/// class, then there are as many as images, in bytewise order of their names; or an image and its
/// class, with a tab, comma or blank between them, of which numbers after the class are left out
/// (the boxes in Kaggle's LOC_val_solution.csv). Images are found as by SampleNames. Throws
/// wf::Error in one line for an image without a class, several lines for one, and numbers without
/// images that are ILSVRC2012_IDs, which count from 1 in another order.
std::vector<std::string> read_label_file(const Dataset& images, const std::string& path);

}  // namespace wf
