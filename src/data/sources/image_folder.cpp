#include "data/sources/image_folder.h"

#include "weightformer/core/check.h"

#include "data/image/decode.h"
#include "data/sources/class_names.h"
#include "data/sources/listing.h"
#include "runtime/log.h"

#include <chrono>

namespace wf {
namespace {

int64_t nanoseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

ImageFolder::ImageFolder(const std::string& root, ImageFolderOptions options) : root_(root) {
  listing_ = std::make_shared<const Listing>(
      list_folder_cached(root, options.listing_cache, nanoseconds_now()));
  const auto& found = listing_->classes;
  WF_CHECK(!found.empty(), root, ": no class directories in it; expected ", root, "/CLASS/*.jpg");
  classes_ = std::move(options.classes);
  const auto numbers = number_classes(found, classes_, root);
  WF_CHECK(!listing_->ends.empty(), root, ": no images in its ", found.size(),
           " class directories (jpg, jpeg, png, bmp, webp, ppm, pgm, tif, tiff)");
  labels_.reserve(listing_->ends.size());
  for (size_t i = 0; i < found.size(); ++i) labels_.resize(listing_->class_ends[i], numbers[i]);
  if (listing_->others > 0) {
    log::info("{}: {} files that are no images by their name are left out, such as {}", root,
              listing_->others, listing_->first_other);
  }
}

std::string ImageFolder::name(int64_t i) const {
  return root_ + "/" + std::string(listing_->name(static_cast<size_t>(i)));
}

Encoded ImageFolder::read(int64_t i) const { return read_file(name(i)); }

}  // namespace wf
