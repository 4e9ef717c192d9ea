#include "data/image_reader.h"

#include "data/batch_memory.h"
#include "data/image/image_decoder.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace wf {
namespace {

class ImageBatchBuilder : public BatchBuilder {
 public:
  ImageBatchBuilder(const Dataset& dataset, const Transform& transform, bool bytes, int64_t count,
                    BatchMemory& memory)
      : dataset_(dataset),
        transform_(transform),
        bytes_(bytes),
        pinned_(memory.pinned()),
        erased_(count) {
    const int64_t side = transform.size();
    batch_.inputs = memory.take({count, 3, side, side}, bytes ? at::kByte : at::kFloat);
    batch_.labels = memory.take({count}, at::kLong);
  }

  void read(int64_t slot, int64_t index, CounterRng rng) override {
    ImageDecoder decoder(dataset_.read(index), dataset_.name(index));
    auto sample = transform_.sample(decoder, rng);
    const int64_t at = slot * batch_.inputs.stride(0);
    if (bytes_) {
      write_planes(sample.image, batch_.inputs.data_ptr<uint8_t>() + at);
      erased_[slot] = std::move(sample.erased);
    } else {
      write_normalised(sample, batch_.inputs.data_ptr<float>() + at);
    }
    batch_.labels.data_ptr<int64_t>()[slot] = dataset_.label(index);
  }

  void mark_unreadable(int64_t slot) override {
    batch_.inputs.select(0, slot).zero_();
    batch_.labels.data_ptr<int64_t>()[slot] = -1;
  }

  // The erased regions of all images in the order of the images, with concatenated values.
  Batch finish() override {
    int64_t total = 0;
    for (size_t slot = 0; slot < erased_.size(); ++slot) {
      for (const auto& [box, values] : erased_[slot]) {
        const auto count = static_cast<int64_t>(values.size());
        batch_.erased.push_back(
            {static_cast<int64_t>(slot), box.top, box.left, box.height, box.width, total, count});
        total += count;
      }
    }
    if (total == 0) return std::move(batch_);
    batch_.noise = at::empty({total}, at::TensorOptions(at::kFloat).pinned_memory(pinned_));
    float* to = batch_.noise.data_ptr<float>();
    for (const auto& parts : erased_) {
      for (const auto& part : parts) to = std::copy(part.values.begin(), part.values.end(), to);
    }
    return std::move(batch_);
  }

 private:
  const Dataset& dataset_;
  const Transform& transform_;
  bool bytes_, pinned_;
  std::vector<std::vector<ErasedPart>> erased_;  // by slot
  Batch batch_;
};

class ImageReader : public SampleReader {
 public:
  ImageReader(std::shared_ptr<const Dataset> dataset, std::shared_ptr<const Transform> transform,
              bool bytes)
      : dataset_(std::move(dataset)), transform_(std::move(transform)), bytes_(bytes) {}

  int64_t size() const override { return dataset_->size(); }
  std::string name(int64_t i) const override { return dataset_->name(i); }
  std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const override {
    return std::make_unique<ImageBatchBuilder>(*dataset_, *transform_, bytes_, count, memory);
  }

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::shared_ptr<const Transform> transform_;
  bool bytes_;
};

}  // namespace

std::shared_ptr<const SampleReader> make_image_reader(std::shared_ptr<const Dataset> dataset,
                                                      std::shared_ptr<const Transform> transform,
                                                      bool bytes) {
  return std::make_shared<ImageReader>(std::move(dataset), std::move(transform), bytes);
}

}  // namespace wf
