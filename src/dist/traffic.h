#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace wf {

/// What collectives of one kind had to exchange.
struct CollectiveTraffic {
  int64_t calls = 0;
  int64_t bytes = 0;  ///< of the tensors, as one rank gives them
};

/// By collective: "all-reduce", "broadcast".
using Traffic = std::map<std::string, CollectiveTraffic>;

/// The collectives since `before`.
Traffic operator-(const Traffic& now, const Traffic& before);

/// Bytes that a rank sends over the network for `traffic`, by the usual ring algorithms: an
/// all-reduce of n bytes over W ranks sends 2 n (W - 1) / W, a broadcast n.
double bytes_sent(const Traffic& traffic, int world);

}  // namespace wf
