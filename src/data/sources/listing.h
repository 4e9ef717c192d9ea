#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// Identifies the state of a directory: adding, removing or renaming a file in it changes both
/// times, and `changed` cannot be set back.
struct FolderStamp {
  std::string path;  // below the root; "" is the root itself
  uint64_t device = 0, inode = 0;
  int64_t modified = 0, changed = 0;  // nanoseconds since 1970
};

FolderStamp stamp_of(const struct stat& info, std::string path);

/// The images of root/CLASS/**, classes and the files of a class in bytewise order.
struct Listing {
  std::vector<std::string> classes;
  std::vector<uint64_t> class_ends;  // images of all classes up to and with this one
  std::string names;                 // "CLASS/file.jpg", one after another: a million of them
  std::vector<uint64_t> ends;        // separate strings would take twice the memory
  uint64_t others = 0;               // other files, without hidden ones
  std::string first_other;           // one of them, below the root
  std::vector<FolderStamp> folders;  // all that were read

  std::string_view name(size_t i) const {
    const uint64_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(names).substr(begin, ends[i] - begin);
  }
};

/// The images below a directory at any depth, relative to it and in bytewise order, under the same
/// rules: links are followed, hidden files skipped; a link to a parent directory is skipped with a
/// warning. Throws wf::Error.
struct ImagesBelow {
  std::vector<std::string> files;
  uint64_t others = 0;
  std::string first_other;
};
ImagesBelow list_images(const std::string& root);

/// Reads the directories with several threads, without a stat() for each file. Throws wf::Error.
Listing list_folder(const std::string& root);

/// The same through a file in `cache` ("" for none): the cached list is used if every directory
/// still has its stamp. `now`, nanoseconds since 1970: a directory that changed less than two
/// seconds before is not trusted, as some file systems' clocks are no finer.
Listing list_folder_cached(const std::string& root, const std::string& cache, int64_t now);

/// $XDG_CACHE_HOME/weightformer, ~/.cache/weightformer, or "" if neither is set.
std::string listing_cache_folder();

/// The cache file of `root`: its name is a hash of the root's full path. "" when `cache` is.
std::string listing_cache_file(const std::string& root, const std::string& cache);

}  // namespace wf
