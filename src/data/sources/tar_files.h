#pragma once

#include <string>
#include <vector>

namespace wf {

/// The tar files that `path` means: itself, the names of a pattern with braces, or the *.tar in a
/// directory without directories, in bytewise order; empty when it is none of these.
std::vector<std::string> tar_files(const std::string& path);

/// The tar files of the set `split`, "train" or "val", in `directory`: SPLIT.tar,
/// ILSVRC2012_img_SPLIT.tar, or shards such as imagenet1k-train-0000.tar, for "val" also
/// imagenet1k-validation-00.tar. Throws wf::Error for shards of several names.
std::vector<std::string> tar_files_of_split(const std::string& directory, const std::string& split);

/// Whether `stem`, a file's name without .tar, has a number for a name, as "train-000" and "000";
/// "n01440764" and "dog" are names of classes.
bool called_like_a_shard(const std::string& stem);

}  // namespace wf
