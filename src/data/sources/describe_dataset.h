#pragma once

#include "data/dataset.h"

#include <string>

namespace wf {

/// A description of a dataset that the ranks of a run compare, as lines of text: the number of
/// classes, each class with its name, its number of images and a checksum of their names, and a
/// checksum of all in order. The names count from the directory on that all images share, since the
/// path of the data may differ from machine to machine. 1.3 million images take about a second.
std::string describe_dataset(const Dataset& images);

}  // namespace wf
