// Pixel memory that a thread reuses for its next image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace wf {

/// Uninitialized bytes. A vector would clear them first, and new memory costs a page fault every 4
/// KiB; together that takes a tenth of the decoding time.
class Scratch {
 public:
  Scratch() {
    auto& spare = spares();
    if (spare.empty()) return;
    block_ = std::move(spare.back());
    spare.pop_back();
  }
  ~Scratch() {
    if (block_.bytes && spares().size() < kKept) spares().push_back(std::move(block_));
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// At least `count` bytes; what was in them is lost.
  uint8_t* take(size_t count) {
    if (count > block_.size) {
      block_.bytes.reset(new uint8_t[count]);
      block_.size = count;
    }
    return block_.bytes.get();
  }

 private:
  static constexpr size_t kKept = 4;  // one image needs at most three at a time
  struct Block {
    std::unique_ptr<uint8_t[]> bytes;
    size_t size = 0;
  };
  static std::vector<Block>& spares() {
    static thread_local std::vector<Block> blocks;
    return blocks;
  }

  Block block_;
};

}  // namespace wf
