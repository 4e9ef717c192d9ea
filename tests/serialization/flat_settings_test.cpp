#include "serialization/flat_settings.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

using pickle::Document;
using pickle::Kind;

TEST(FlatSettings, HaveDottedKeysAndValuesAsTyped) {
  Document document;
  auto* root = document.make(Kind::dict);
  auto* model = document.put(root, "MODEL", document.make(Kind::dict));
  document.put(model, "NAME", document.of("wfm_tiny"));
  document.put(model, "DEPTH", document.of(int64_t{17}));
  document.put(model, "DROP_PATH_RATE", document.of(0.1));
  document.put(root, "AMP", document.of(true));
  auto* betas = document.put(root, "BETAS", document.make(Kind::tuple));
  betas->items = {document.of(0.9), document.of(0.95)};
  document.put(root, "NONE", document.none());
  EXPECT_EQ(flat_settings(*root), (Settings{{"AMP", "true"},
                                            {"BETAS", "[0.9, 0.95]"},
                                            {"MODEL.DEPTH", "17"},
                                            {"MODEL.DROP_PATH_RATE", "0.1"},
                                            {"MODEL.NAME", "wfm_tiny"},
                                            {"NONE", ""}}));
}

// 60 levels of ten keys that share one dict would be 10^60 settings.
TEST(FlatSettings, OfSharedDictsAreBounded) {
  Document document;
  auto* inner = document.make(Kind::dict);
  document.put(inner, "KEY", document.of(int64_t{1}));
  for (int level = 0; level < 60; ++level) {
    auto* outer = document.make(Kind::dict);
    for (char name = 'A'; name <= 'J'; ++name) document.put(outer, std::string(1, name), inner);
    inner = outer;
  }
  EXPECT_LE(flat_settings(*inner).size(), 10000u);
  auto* list = document.of(int64_t{1});
  for (int level = 0; level < 60; ++level) {
    auto* outer = document.make(Kind::list);
    outer->items.assign(1000, list);
    list = outer;
  }
  auto* root = document.make(Kind::dict);
  document.put(root, "LIST", list);
  EXPECT_LE(flat_settings(*root).at("LIST").size(), 100000u);
}

}  // namespace
}  // namespace wf::testing
