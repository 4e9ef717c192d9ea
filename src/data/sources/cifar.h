#pragma once

#include "data/dataset.h"
#include "data/sources/read_ahead.h"

#include <memory>
#include <string>
#include <vector>

namespace wf {

/// CIFAR-100 in its binary version (Krizhevsky 2009, www.cs.toronto.edu/~kriz/cifar.html): for each
/// image a byte with the coarse class, one with the fine class, and 32 x 32 pixels as a red, a
/// green and a blue plane. Its 100 fine classes are the labels, in the order of
/// fine_label_names.txt.
class Cifar100 : public Dataset {
 public:
  /// `directory`: holds `file` (train.bin or test.bin) and fine_label_names.txt, itself or in
  /// cifar-100-binary/, as the download unpacks. `classes`: those of the training set; empty for
  /// any. Throws wf::Error in one line for missing or truncated files, and files that are not
  /// CIFAR-100.
  Cifar100(const std::string& folder, const std::string& file,
           std::vector<std::string> classes = {});

  int64_t size() const override { return static_cast<int64_t>(labels_.size()); }
  int64_t label(int64_t i) const override { return labels_[i]; }
  std::string name(int64_t i) const override;
  Encoded read(int64_t i) const override;

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<int32_t> labels_;
};

}  // namespace wf
