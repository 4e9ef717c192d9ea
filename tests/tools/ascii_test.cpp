#include "ascii.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

TEST(Ascii, KeepsWesternEuropeanNamesReadableAndOtherNamesDistinct) {
  EXPECT_EQ(ascii("bag 1~"), "bag 1~");
  EXPECT_EQ(ascii("grün Straße Ærø"), "grun Strasse AEro");
  EXPECT_EQ(ascii("e\u0301"), "e") << "an accent of its own";
  EXPECT_EQ(ascii("写真"), "U+5199U+771F");
  EXPECT_EQ(ascii("😀"), "U+1F600");
  EXPECT_NE(ascii("\xff\xfe"), "") << "not UTF-8";
}

}  // namespace
}  // namespace wf::testing
