#include "scaling.h"

#include "weightformer/core/check.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

Fabric plain() {
  Fabric fabric;
  fabric.gpus_per_node = 2;
  fabric.collective_latency = 0;
  fabric.alpha_node = 1;
  fabric.alpha_net = 10;
  fabric.beta_node = 100;
  fabric.beta_net = 10;
  return fabric;
}

TEST(AllReduceSeconds, IsTheBetterOfRingAndTree) {
  EXPECT_EQ(all_reduce_seconds(plain(), 1, 1000), 0);
  // Two in a node: 2 hops and 2 * 1/2 of the bytes by ring.
  EXPECT_DOUBLE_EQ(all_reduce_seconds(plain(), 2, 1000), 2 + 10);
  // Two nodes: 6 hops, 2 of them between nodes; 2 * 3/4 of the bytes. The tree has 2 + 20 of
  // latency like the ring's 4 + 20, and more bytes.
  EXPECT_DOUBLE_EQ(all_reduce_seconds(plain(), 4, 1000), 24 + 150);
  // Many nodes and few bytes: the tree's log2(8) against the ring's 14 hops between nodes.
  EXPECT_DOUBLE_EQ(all_reduce_seconds(plain(), 16, 1), 2 * (1 + 3 * 10) + 2.0 / 10);
  EXPECT_THROW(all_reduce_seconds(plain(), 3, 1), Error);
  EXPECT_THROW(all_reduce_seconds(plain(), 0, 1), Error);
}

TEST(EstimateStep, HidesTheExchangeBehindTheBackwardPassButForTheLastBucket) {
  StepCost cost;
  cost.forward = 50;
  cost.backward = 1000;
  cost.rest = 5;
  cost.bytes = 300;
  cost.bucket_bytes = 100;
  const auto hidden = estimate_step(plain(), 2, cost);
  EXPECT_DOUBLE_EQ(hidden.exchange, 3 * (2 + 1));
  EXPECT_DOUBLE_EQ(hidden.exposed, 2 + 1);
  EXPECT_DOUBLE_EQ(hidden.seconds, 1055 + 3);
  EXPECT_DOUBLE_EQ(hidden.efficiency, 1055.0 / 1058);
}

TEST(EstimateStep, ASlowLinkDecidesWhenTheBackwardPassIsShort) {
  StepCost cost;
  cost.backward = 3;
  cost.bytes = 300;
  cost.bucket_bytes = 100;
  const auto bound = estimate_step(plain(), 4, cost);
  // The first bucket is ready after 1, then one follows the other.
  EXPECT_DOUBLE_EQ(bound.seconds, 1 + bound.exchange);
  EXPECT_DOUBLE_EQ(estimate_step(plain(), 1, cost).efficiency, 1);
}

}  // namespace
}  // namespace wf::testing
