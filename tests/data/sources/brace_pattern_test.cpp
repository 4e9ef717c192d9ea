#include "data/sources/brace_pattern.h"

#include "support/errors.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

using Names = std::vector<std::string>;

TEST(BracePattern, CountsListsAndCombines) {
  EXPECT_EQ(expand_braces("a.tar"), Names{"a.tar"});
  EXPECT_EQ(expand_braces("s-{008..011}.tar"),
            (Names{"s-008.tar", "s-009.tar", "s-010.tar", "s-011.tar"}));
  EXPECT_EQ(expand_braces("{8..10}"), (Names{"8", "9", "10"}));
  EXPECT_EQ(expand_braces("{a,b}/{0..1}.tar"), (Names{"a/0.tar", "a/1.tar", "b/0.tar", "b/1.tar"}));
  EXPECT_EQ(expand_braces("{000..146}.tar").size(), 147u);
}

TEST(BracePattern, OthersAreRefused) {
  for (const char* pattern : {"{0..1", "0..1}", "{a{0..1}}", "{}", "{x}", "{0..x}", "{3..1}",
                              "{0..99999999}", "{0..9999}{0..9999}"}) {
    const auto message = error_of([&] { expand_braces(pattern); });
    EXPECT_EQ(message.rfind(pattern, 0), 0u) << message;
  }
}

}  // namespace
}  // namespace wf::testing
