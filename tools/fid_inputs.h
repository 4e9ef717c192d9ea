// What wf_fid compares, and the network that it compares it in.
#pragma once

#include "engine/fidelity/figures.h"

#include <functional>
#include <memory>
#include <string>

namespace wf {

struct FidRequest {
  std::string samples, reference;  ///< directory, image, .npz
  std::string weights;             ///< of Inception-v3
  std::string features;            ///< a classifier's checkpoint, in its place; may be empty
  std::string input = "tensorflow", figures = "fid,sfid,is,pr,kid", device = "auto";
  std::string statistics, output;  ///< files to write; may be empty
  int64_t batch_size = 50;
};

/// The network that `request` names. Throws wf::Error: none given, weights of another network.
std::unique_ptr<FeatureNetwork> load_feature_network(const FidRequest& request);

/// One side of the comparison, with what is in force there.
struct FidSide {
  ComparedSet set;
  FidelitySettings settings;   ///< "samples": …, for the result
  FidelitySettings made_with;  ///< FeatureNetwork::settings() behind `set`; empty: not known
  int64_t count = 0;           ///< images; 0: not known
};

/// Reads the statistics at `path`, or computes the features of its images in `network`, or both
/// where `selection` needs features and the file has images too. `role` is "samples" or
/// "reference". `network` is asked for when it is needed and may then throw. Throws wf::Error when
/// statistics were made with other settings than those of `network`.
FidSide open_side(const std::string& role, const std::string& path, const FidRequest& request,
                  const FigureSelection& selection,
                  const std::function<FeatureNetwork&()>& network);

/// Prints the figures of request.samples against request.reference and writes what `request` asks
/// for. Returns the exit code; throws wf::Error in one line.
int compare_sets(const FidRequest& request);

/// Prints the figures and settings of two results (JSON) or files of statistics, and those settings
/// that differ. Returns the exit code.
int explain_results(const std::string& first, const std::string& second);

}  // namespace wf
