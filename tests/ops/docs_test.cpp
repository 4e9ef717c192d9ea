#include "support/temp_dir.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(OperatorDocs, HaveTheSchemaOfEveryOperator) {
  const auto page = read_file(WF_SOURCE_DIR "/docs/operators.md");
  int count = 0;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (name.name.rfind("wf::", 0) != 0 || name.name.find("_backward") != std::string::npos)
      continue;
    const auto schema = c10::Dispatcher::singleton().findSchema(name);
    ASSERT_TRUE(schema) << name.name;
    EXPECT_NE(page.find("`" + c10::toString(schema->schema()) + "`"), std::string::npos)
        << schema->schema();
    ++count;
  }
  EXPECT_EQ(count, 6);
}

}  // namespace
}  // namespace wf::testing
