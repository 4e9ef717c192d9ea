// Long work in numbered files, so that an interrupted run can be completed.
#pragma once

#include "engine/distributed.h"

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

struct ShardOptions {
  std::string directory;  ///< holds manifest.txt and shards/
  int64_t items = 0;
  int64_t shard = 1000;   ///< items per file
  std::string extension;  ///< of the files: ".npy"
  std::string settings;   ///< everything that determines the content, one "NAME: value" per line
};

/// The files DIRECTORY/shards/NNNNNN.EXT of items NNNNNN …, each written atomically by rank
/// (number mod world). The content of a shard depends only on its number, so a restart, on any
/// number of ranks that share the directory, writes the missing ones and ends with the same bytes.
class Shards {
 public:
  explicit Shards(ShardOptions options) : options_(std::move(options)) {}

  int64_t count() const { return (options_.items + options_.shard - 1) / options_.shard; }
  int64_t begin(int64_t shard) const { return shard * options_.shard; }
  int64_t size(int64_t shard) const;
  std::string path(int64_t shard) const;
  bool exists(int64_t shard) const;

  /// On one rank, before the others begin: makes the directory, writes manifest.txt or compares it
  /// with the settings, removes incomplete files. Throws wf::Error that names the first difference.
  void prepare() const;

  /// Those of this rank that are not there yet.
  std::vector<int64_t> missing(const Distributed& ranks) const;

  /// Until the other ranks have written theirs. Throws wf::Error after a stop signal.
  void wait_for_all() const;

  /// Removes the directory and what is in it.
  void remove() const;

 private:
  std::string directory() const { return options_.directory + "/shards"; }

  ShardOptions options_;
};

/// Throws wf::Error after a stop signal.
void require_not_stopped();

}  // namespace wf
