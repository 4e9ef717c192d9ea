#include "data/latent_reader.h"

#include "weightformer/core/check.h"

#include "data/batch_memory.h"

#include <utility>

namespace wf {
namespace {

class LatentReader : public SampleReader {
 public:
  LatentReader(std::shared_ptr<const Latents> latents, int64_t classes, bool draw)
      : latents_(std::move(latents)), classes_(classes), draw_(draw) {}

  int64_t size() const override { return latents_->size(); }
  std::string name(int64_t i) const override { return latents_->name(i); }
  std::unique_ptr<BatchBuilder> begin(int64_t count, BatchMemory& memory) const override {
    return std::make_unique<Builder>(*this, count, memory);
  }

 private:
  class Builder : public BatchBuilder {
   public:
    Builder(const LatentReader& reader, int64_t count, BatchMemory& memory) : reader_(reader) {
      const auto& latents = *reader.latents_;
      batch_.inputs =
          memory.take({count, latents.channels(), latents.side(), latents.side()}, at::kFloat);
      batch_.labels = memory.take({count}, at::kLong);
    }

    void read(int64_t slot, int64_t index, CounterRng rng) override {
      float* out = batch_.inputs.data_ptr<float>() + slot * batch_.inputs.stride(0);
      const auto label = reader_.latents_->read(index, reader_.draw_ ? &rng : nullptr, out);
      WF_CHECK(label < reader_.classes_, reader_.name(index), ": the label ", label,
               " is not below MODEL.NUM_CLASSES, ", reader_.classes_);
      batch_.labels.data_ptr<int64_t>()[slot] = label;
    }
    // Latents that cannot be read end a run: they were written by a program, so damage is
    // unexpected.
    void mark_unreadable(int64_t slot) override {
      batch_.inputs.select(0, slot).zero_();
      batch_.labels.data_ptr<int64_t>()[slot] = -1;
    }
    Batch finish() override { return std::move(batch_); }

   private:
    const LatentReader& reader_;
    Batch batch_;
  };

  std::shared_ptr<const Latents> latents_;
  int64_t classes_;
  bool draw_;
};

}  // namespace

std::shared_ptr<const SampleReader> make_latent_reader(std::shared_ptr<const Latents> latents,
                                                       int64_t classes, bool draw) {
  return std::make_shared<LatentReader>(std::move(latents), classes, draw);
}

}  // namespace wf
