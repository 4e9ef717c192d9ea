#include "engine/diffusion/diffusion_data.h"

#include "weightformer/core/check.h"

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

namespace wf {
namespace {

class Subset : public SampleReader {
 public:
  Subset(std::shared_ptr<const SampleReader> all, std::vector<int64_t> numbers)
      : all_(std::move(all)), numbers_(std::move(numbers)) {}

  int64_t size() const override { return static_cast<int64_t>(numbers_.size()); }
  std::string name(int64_t i) const override { return all_->name(numbers_[i]); }
  std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const override {
    return std::make_unique<Builder>(*this, all_->begin(count, memory));
  }

 private:
  class Builder : public BatchBuilder {
   public:
    Builder(const Subset& subset, std::unique_ptr<BatchBuilder> all)
        : subset_(subset), all_(std::move(all)) {}
    void read(int64_t slot, int64_t index, CounterRng rng) override {
      all_->read(slot, subset_.numbers_[index], rng);
    }
    void mark_unreadable(int64_t slot) override { all_->mark_unreadable(slot); }
    Batch finish() override { return all_->finish(); }

   private:
    const Subset& subset_;
    std::unique_ptr<BatchBuilder> all_;
  };

  std::shared_ptr<const SampleReader> all_;
  std::vector<int64_t> numbers_;
};

}  // namespace

at::Tensor diffusion_input(const Batch& batch, int64_t channels, c10::Device device) {
  auto inputs = batch.inputs.to(device, /*non_blocking=*/true);
  if (inputs.scalar_type() == torch::kByte) {
    return inputs.narrow(1, 0, channels).to(torch::kFloat).div_(127.5).sub_(1);
  }
  WF_CHECK(inputs.size(1) == channels, "DIFFUSION.CHANNELS is ", channels, ", and the data have ",
           inputs.size(1));
  return inputs;
}

void keep_readable(Batch& batch) {
  const auto readable = batch.labels.cpu().ge(0);
  if (readable.all().item<bool>()) return;
  const auto kept = readable.nonzero().flatten().to(batch.labels.device());
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < batch.size(); ++i) {
    if (readable[i].item<bool>()) indices.push_back(batch.indices[i]);
  }
  batch.inputs = batch.inputs.index_select(0, kept);
  batch.labels = batch.labels.index_select(0, kept);
  batch.indices = std::move(indices);
}

std::shared_ptr<const SampleReader> evenly_spaced(std::shared_ptr<const SampleReader> reader,
                                                  int64_t count) {
  const int64_t all = reader->size();
  if (all <= count) return reader;
  std::vector<int64_t> numbers(count);
  for (int64_t i = 0; i < count; ++i) numbers[i] = i * all / count;
  return chosen_samples(std::move(reader), std::move(numbers));
}

std::shared_ptr<const SampleReader> chosen_samples(std::shared_ptr<const SampleReader> reader,
                                                   std::vector<int64_t> numbers) {
  return std::make_shared<Subset>(std::move(reader), std::move(numbers));
}

}  // namespace wf
