#pragma once

#include "data/dataset.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace wf {

struct ImageFile {
  std::string path;
  std::string root;  ///< the directory or archive that was named; empty when the file itself was
  std::shared_ptr<const Dataset> archive = nullptr;  ///< that holds the image as number `index`
  int64_t index = 0;

  /// The decoded image. Throws UnreadableImage.
  Image load() const;
};

/// The files that `paths` name, and the images below the directories among them, in order. What
/// training skips in a directory, hidden files and those that are not images by their names, is
/// skipped here too, with one warning for each of `paths` that has others; links are followed, and
/// a dangling one stays in the list. Throws wf::Error for a directory without images.
std::vector<ImageFile> image_files(const std::vector<std::string>& paths);

/// The same, and the images in the archives among `paths`: .tar (several by a pattern such as
/// part-{00..07}.tar), .zip and .wfpack files. They need no classes; a tar file's index is kept as
/// in training.
std::vector<ImageFile> images_and_archives(const std::vector<std::string>& paths);

/// The class of an image by the directories above it. As in training, the directories inside that
/// of a class belong to the class: the first one that is called like one of `classes` counts, from
/// ImageFile::root on; when there is none, the innermost one above. An image in an
/// archive that has a label of its own has that one, a name or a number of `classes` in their
/// order of training, `numbering`. nullopt: none is called so.
std::optional<std::string> label_of(const ImageFile& file, const std::set<std::string>& classes,
                                    const std::vector<std::string>& numbering = {});

}  // namespace wf
