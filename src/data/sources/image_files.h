#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace wf {

struct ImageFile {
  std::string path;
  std::string root;  ///< the directory that was named; empty when the file itself was
};

/// The files that `paths` name, and the images below the directories among them, in order. What
/// training skips in a directory, hidden files and those that are not images by their names, is
/// skipped here too, with one warning for each of `paths` that has others; links are followed, and
/// a dangling one stays in the list. Throws wf::Error for a directory without images.
std::vector<ImageFile> image_files(const std::vector<std::string>& paths);

/// The class of an image by the directories above it. As in training, the directories inside that
/// of a class belong to the class: the first one that is called like one of `classes` counts, from
/// ImageFile::root on; when there is none, the innermost one above. nullopt: none is called so.
std::optional<std::string> label_of(const ImageFile& file, const std::set<std::string>& classes);

}  // namespace wf
