#include "data/sources/listing.h"

#include "weightformer/core/check.h"

#include "data/parallel.h"
#include "data/sources/class_names.h"
#include "data/sources/image_name.h"
#include "runtime/log.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

namespace wf {
namespace {

// Waiting for a network file system is most of the work, so more threads than cores help.
constexpr int kThreads = 16;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// One class, or only the root.
class Reader {
 public:
  explicit Reader(const std::string& root, bool skip_loops = false)
      : root_(root), skip_loops_(skip_loops) {}

  // Adds the files in the directory `below` the root; descends into subdirectories when `deep`,
  // else lists them in `directories`.
  void read(const std::string& below, bool deep) {
    const std::string path = below.empty() ? root_ : root_ + "/" + below;
    struct stat info {};
    // The stamp is taken first: a change while the directory is read makes it stale.
    const bool found = ::stat(path.c_str(), &info) == 0;
    const std::unique_ptr<DIR, CloseFolder> folder(found ? ::opendir(path.c_str()) : nullptr);
    if (!folder) fail(path, errno);
    stamps.push_back(stamp_of(info, below));
    const FolderStamp here = stamps.back();
    const bool loop = std::any_of(above_.begin(), above_.end(), [&](const auto& above) {
      return above.device == here.device && above.inode == here.inode;
    });
    if (loop && skip_loops_) return log::warning("{}: skipped, {}", path, kLoop);
    WF_CHECK(!loop, path, ": ", kLoop, "; remove this link");
    above_.push_back(here);
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (!entry) break;
      const std::string name = entry->d_name;
      if (name != "." && name != "..") add(below, name, entry->d_type, deep);
    }
    if (errno != 0) fail(path, errno);
    above_.pop_back();
  }

  std::vector<std::string> files, folders;
  std::vector<FolderStamp> stamps;
  uint64_t others = 0;
  std::string first_other;

 private:
  void add(const std::string& below, const std::string& name, unsigned char type, bool deep) {
    const std::string full = below.empty() ? name : below + "/" + name;
    bool plain = type == DT_REG, folder = type == DT_DIR;
    if (type == DT_LNK || type == DT_UNKNOWN) {
      struct stat info {};
      const bool there = ::stat((root_ + "/" + full).c_str(), &info) == 0;
      folder = there && S_ISDIR(info.st_mode);
      // A dangling link stays in the list: reading it logs and counts it.
      plain = !there || S_ISREG(info.st_mode);
    }
    if (folder) {
      if (deep) {
        read(full, true);
      } else if (name.front() != '.') {
        folders.push_back(name);
      }
    } else if (plain && deep && is_picture(name)) {
      files.push_back(full);
    } else if (name.front() != '.') {
      ++others;
      if (first_other.empty() || full < first_other) first_other = full;
    }
  }

  [[noreturn]] static void fail(const std::string& path, int code) {
    throw Error(str(path, ": cannot list the directory: ", std::strerror(code),
                    "; expected a directory of images or of class directories"));
  }

  static constexpr const char* kLoop = "leads back to one of its parent directories";

  const std::string& root_;
  const bool skip_loops_;
  std::vector<FolderStamp> above_;
};

void append(Listing& listing, Reader& part) {
  std::sort(part.files.begin(), part.files.end());
  for (const auto& file : part.files) {
    listing.names += file;
    listing.ends.push_back(listing.names.size());
  }
  for (auto& stamp : part.stamps) listing.folders.push_back(std::move(stamp));
  if (listing.others == 0) listing.first_other = part.first_other;
  listing.others += part.others;
}

}  // namespace

ImagesBelow list_images(const std::string& root) {
  Reader all(root, /*skip_loops=*/true);
  all.read("", true);
  std::sort(all.files.begin(), all.files.end());
  return {std::move(all.files), all.others, std::move(all.first_other)};
}

Listing list_folder(const std::string& root) {
  Reader top(root);
  top.read("", false);
  Listing listing;
  listing.classes = top.folders;
  std::sort(listing.classes.begin(), listing.classes.end());
  for (const auto& name : listing.classes) {
    WF_CHECK(is_utf8(name), root, "/", name,
             ": the name of a class must be UTF-8; rename the directory");
  }
  append(listing, top);
  std::vector<std::unique_ptr<Reader>> parts(listing.classes.size());
  in_parallel(static_cast<int64_t>(parts.size()), kThreads, [&](int64_t i) {
    parts[i] = std::make_unique<Reader>(root);
    parts[i]->read(listing.classes[i], true);
  });
  for (auto& part : parts) {
    append(listing, *part);
    part.reset();  // as the names would be in memory twice
    listing.class_ends.push_back(listing.ends.size());
  }
  return listing;
}

}  // namespace wf
