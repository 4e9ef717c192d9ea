#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wf {

/// Identifies the state of a tar file; both are kept when it is copied by rsync -t or cp -p.
struct TarStamp {
  uint64_t size = 0;     ///< bytes
  int64_t modified = 0;  ///< nanoseconds since 1970
};

struct TarSample {
  uint64_t begin, size;   ///< of the image's bytes in the tar file
  std::string_view name;  ///< "n01440764/1.jpg", in an inner tar "n01440764.tar/1.jpg"
  uint32_t group;         ///< in TarIndex::groups()
};

// The bytes of an index, little-endian:
//
//   "wftidx1\n", u32 CRC-32 of the rest, u32 labeled, u64 size and i64 modification time of the tar
//   file, u64 others, u64 skipped, texts first_other and first_skipped, u64 groups, as many texts,
//   u64 samples, samples x (u64 begin, u64 size, u64 end of its name, u32 group, u32 zero), names;
//   a text begins with its length, u64

/// Which images a tar file holds, where, and of which class.
class TarIndex {
 public:
  /// The index in `bytes`, which `owner` keeps where they are. Throws wf::Error when they are
  /// damaged, of another version or of another state of the tar file.
  TarIndex(std::string_view bytes, std::shared_ptr<const void> owner, const TarStamp& stamp);

  int64_t size() const { return size_; }
  TarSample sample(int64_t i) const;
  /// Whether groups() are the labels beside the images (.cls, .json, .txt): a number or the name of
  /// a class. Otherwise they are the directories of the images, "" for none.
  bool labeled() const { return labeled_; }
  const std::vector<std::string>& groups() const { return groups_; }

  uint64_t others = 0;   ///< files that are no images, nor labels of them
  uint64_t skipped = 0;  ///< links and sparse files
  std::string first_other, first_skipped;

 private:
  std::shared_ptr<const void> owner_;
  std::string_view records_, names_;
  int64_t size_ = 0;
  bool labeled_ = false;
  std::vector<std::string> groups_;
};

/// The index of the tar file `archive`, called `path` in messages.
///
/// Images are found by their extension; hidden files are passed over. An image belongs to a sample
/// as in webdataset: its key is the name up to the first dot of the file's name. Where a key has a
/// .cls, .json or .txt file too, that is its label (of a .json file the value of cls, label or
/// class), and samples keep the order of the archive; otherwise the images are in bytewise order of
/// their names. A tar file inside, as in ILSVRC2012_img_train.tar, is a directory of its name
/// without .tar; `threads` read them. Throws wf::Error in one line for a key or an image that is
/// there twice, an image without a label where others have one, and what tar_contents() refuses.
std::string make_tar_index(std::string_view archive, const std::string& path, const TarStamp& stamp,
                           int threads);

/// The index of the tar file `path`, read from `path`.wfindex or from a file in the directory
/// `cache`, in this order, or made and kept in the first of them that can be written. `cache` "":
/// only beside it; nullopt: nothing is read or kept. `now`, nanoseconds since 1970: of a tar file
/// that changed less than two seconds before, no index is kept, as some file systems' clocks are no
/// finer.
TarIndex tar_index(const std::string& path, std::string_view archive,
                   const std::optional<std::string>& cache, int64_t now);

/// The file of `cache` that keeps the index of the tar file `path`.
std::string tar_index_cache_file(const std::string& path, const std::string& cache);

}  // namespace wf
