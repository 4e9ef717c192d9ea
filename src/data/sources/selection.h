#pragma once

#include "data/dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// `images` with the classes of the class map in the file `map`, see read_class_map(); images of
/// other classes are left out, and the log has their number. Classes that are numbers in the data
/// and not in the map are its lines. `classes`: those of the training set or of a checkpoint, by
/// the names or as the data call them; empty for those of the map. Throws wf::Error in one line
/// when the map has none of the classes.
std::shared_ptr<Dataset> with_class_map(std::shared_ptr<const Dataset> images,
                                        const std::string& map, std::vector<std::string> classes);

/// The images of `images`, in their order, that the file `list` names, one a line as for
/// SampleNames. Names without an image are in the log. Throws wf::Error in one line when no image
/// is named.
std::shared_ptr<Dataset> subset_of(std::shared_ptr<const Dataset> images, const std::string& list);

}  // namespace wf
