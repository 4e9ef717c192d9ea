#include "data/sources/split_dataset.h"

#include "weightformer/core/random.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wf {
namespace {

constexpr uint64_t kHeldOut = 0x73706c6974;  // keeps these draws apart from all others

class Subset : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> all, std::vector<int64_t> which)
      : all_(std::move(all)), which_(std::move(which)) {
    classes_ = all_->classes();
  }
  int64_t size() const override { return static_cast<int64_t>(which_.size()); }
  int64_t label(int64_t i) const override { return all_->label(which_.at(i)); }
  std::string name(int64_t i) const override { return all_->name(which_.at(i)); }
  Encoded read(int64_t i) const override { return all_->read(which_.at(i)); }

 private:
  std::shared_ptr<const Dataset> all_;
  std::vector<int64_t> which_;
};

int64_t held_out_of(int64_t count, double fraction) {
  if (count < 2) return 0;
  return std::clamp<int64_t>(std::llround(fraction * static_cast<double>(count)), 1, count - 1);
}

}  // namespace

SplitDataset split_dataset(const std::shared_ptr<const Dataset>& all, double fraction,
                           uint64_t seed) {
  std::vector<std::vector<int64_t>> by_class(all->classes().size());
  for (int64_t i = 0; i < all->size(); ++i) by_class.at(all->label(i)).push_back(i);
  std::vector<int64_t> train, held_out;
  for (size_t c = 0; c < by_class.size(); ++c) {
    auto& images = by_class[c];
    const auto count = static_cast<int64_t>(images.size());
    CounterRng rng{seed, kHeldOut, c};
    for (int64_t i = 0; i + 1 < count; ++i) std::swap(images[i], images[i + rng.below(count - i)]);
    const auto cut = images.begin() + held_out_of(count, fraction);
    held_out.insert(held_out.end(), images.begin(), cut);
    train.insert(train.end(), cut, images.end());
  }
  std::sort(train.begin(), train.end());
  std::sort(held_out.begin(), held_out.end());
  return {std::make_shared<Subset>(all, std::move(train)),
          std::make_shared<Subset>(all, std::move(held_out))};
}

}  // namespace wf
