#include "data/sources/tar_archive.h"

#include "support/errors.h"
#include "support/tar_writer.h"

#include <gtest/gtest.h>

namespace wf::testing {
namespace {

std::string refusal(const std::string& archive) {
  return error_of([&] { tar_contents(archive, "x.tar"); });
}

std::string pax_record(const std::string& key, const std::string& value) {
  const auto text = " " + key + "=" + value + "\n";
  auto length = text.size() + 2;
  while (std::to_string(length).size() + text.size() != length) ++length;
  return std::to_string(length) + text;
}

TEST(TarArchive, HasItsRegularFilesInOrder) {
  const auto archive = tar_bytes({{"./b/", "", '5'},
                                  {"./b/2.jpg", "two"},
                                  {"a.txt", "", '\0'},
                                  {"old/", "", '\0'},
                                  {"7.jpg", std::string(600, 'x'), '7'}});
  const auto contents = tar_contents(archive, "x.tar");
  ASSERT_EQ(contents.files.size(), 3u);
  EXPECT_EQ(contents.files[0].name, "b/2.jpg");
  EXPECT_EQ(archive.substr(contents.files[0].begin, contents.files[0].size), "two");
  EXPECT_EQ(contents.files[1].name, "a.txt");
  EXPECT_EQ(contents.files[2].size, 600u);
  EXPECT_EQ(contents.skipped, 0u);
}

TEST(TarArchive, LongNamesAreThoseOfGnuAndOfPax) {
  const std::string name = std::string(150, 'd') + "/1.jpg";
  const auto gnu = tar_bytes({{"././@LongLink", name + '\0', 'L'}, {name.substr(0, 100), "one"}});
  const auto pax = tar_bytes({{"g", pax_record("path", "of all"), 'g'},
                              {"p", pax_record("path", name) + pax_record("mtime", "1.5"), 'x'},
                              {name.substr(0, 100), "one"},
                              {"next.jpg", "two"}});
  EXPECT_EQ(tar_contents(gnu, "x.tar").files.at(0).name, name);
  EXPECT_EQ(tar_contents(pax, "x.tar").files.at(0).name, name);
  EXPECT_EQ(tar_contents(pax, "x.tar").files.at(1).name, "next.jpg");
}

TEST(TarArchive, SizesMayBeBinaryOrOfPax) {
  const std::string binary = '\x80' + std::string(10, '\0') + '\3';
  EXPECT_EQ(tar_contents(tar_bytes({{"1.jpg", "one", '0', binary}}), "x").files.at(0).size, 3u);
  const auto pax =
      tar_bytes({{"p", pax_record("size", "3"), 'x'}, {"1.jpg", "one", '0', octal(0, 12)}});
  EXPECT_EQ(tar_contents(pax, "x").files.at(0).size, 3u);
  const std::string negative(12, '\xFF');
  EXPECT_TRUE(has(refusal(tar_bytes({{"1.jpg", "one", '0', negative}})), "the size is no number"));
  EXPECT_TRUE(has(refusal(tar_bytes({{"1.jpg", "one", '0', "12z4567890 \n"}})), "no number"));
}

TEST(TarArchive, LinksAndSparseFilesAreSkippedByName) {
  const auto contents = tar_contents(tar_bytes({{"l.jpg", "", '1'},
                                                {"s.jpg", "", '2'},
                                                {"hole.jpg", "x", 'S'},
                                                {"p", "", '6'},
                                                {"p", pax_record("GNU.sparse.major", "1"), 'x'},
                                                {"h.jpg", "y"},
                                                {"1.jpg", "z"}}),
                                     "x.tar");
  EXPECT_EQ(contents.files.size(), 1u);
  EXPECT_EQ(contents.skipped, 5u);
  EXPECT_EQ(contents.first_skipped, "l.jpg (a hard link)");
}

TEST(TarArchive, CutAnywhereItIsRefused) {
  const auto archive = tar_bytes({{"1.jpg", std::string(700, 'x')},
                                  {"p", pax_record("path", "2.jpg"), 'x'},
                                  {"2.jpg", "two"}});
  const size_t end = archive.size() - 1024;
  EXPECT_EQ(refusal(archive), "");
  for (size_t size = 1; size < end; ++size) {
    const auto message = refusal(archive.substr(0, size));
    EXPECT_TRUE(has(message, "x.tar: cut short")) << size << ": " << message;
  }
  EXPECT_TRUE(has(refusal(archive.substr(0, end)), "truncate -s +1024")) << "without an end mark";
  EXPECT_EQ(refusal(archive.substr(0, end + 512)), "") << "of which one block is enough";
}

TEST(TarArchive, OfOtherKindsAreNamed) {
  const auto good = tar_bytes({{"1.jpg", "one"}});
  auto damaged = good + std::string(10, 'x');
  damaged.replace(0, good.size(),
                  tar_bytes({{"1.jpg", "one"}, {"2.jpg", "two"}}).substr(0, good.size()));
  damaged[1024] = 'X';
  EXPECT_TRUE(has(refusal(damaged), "x.tar: damaged at byte 1024: the checksum"))
      << refusal(damaged);
  EXPECT_TRUE(has(refusal(std::string(600, 'x')), "x.tar: no tar archive"));
  EXPECT_TRUE(has(refusal(""), "is empty"));
  EXPECT_TRUE(has(refusal("\x1f\x8b" + good), "is compressed by gzip"));
  EXPECT_TRUE(has(refusal("\x28\xb5\x2f\xfd" + good), "is compressed by zstd"));
  EXPECT_TRUE(has(refusal(good + good), "another archive follows at byte 2048"));
  EXPECT_EQ(refusal(good + std::string(512, 'x')), "") << "anything else after the end is ignored";
  EXPECT_TRUE(has(refusal(tar_bytes({{"1.jpg", "one", 'M'}})), "of another volume"));
  EXPECT_TRUE(has(refusal(tar_bytes({{"p", "no record", 'x'}})), "no records of a pax header"));
  EXPECT_TRUE(has(refusal(tar_bytes({{"p", std::string(2 << 20, 'x'), 'L'}})), "of 2097152 bytes"));
}

TEST(TarArchive, NamesAreOneLine) {
  EXPECT_EQ(tar_contents(tar_bytes({{"a\nb.jpg", "x"}}), "x").files.at(0).name, "a?b.jpg");
}

}  // namespace
}  // namespace wf::testing
