#include "data/sources/listing.h"

#include "support/errors.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

namespace wf::testing {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr int64_t kMuchLater = int64_t{1} << 62;  // by then every directory has settled

Names names(const Listing& listing) {
  Names out;
  for (size_t i = 0; i < listing.ends.size(); ++i) out.emplace_back(listing.name(i));
  return out;
}

FolderStamp stamp(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return stamp_of(info, "");
}

class ListingTest : public ::testing::Test {
 protected:
  void add(const std::string& file) { write_file(folder_ / "set/" + file, "x"); }
  Listing cached(int64_t now = kMuchLater) { return list_folder_cached(root_, cache_, now); }
  std::string cache_file() const { return listing_cache_file(root_, cache_); }

  // The clock of a file system moves in ticks: waits for the next one, so that what follows bears
  // another time than what was.
  void next_tick() const {
    const std::string probe = folder_ / "probe";
    write_file(probe, "");
    const auto before = stamp(probe).changed;
    while (stamp(probe).changed == before) {
      ::usleep(1000);
      ::chmod(probe.c_str(), 0600);
    }
  }
  // Whether a cached listing equals a new one.
  void expect_fresh(const std::string& after) {
    EXPECT_EQ(names(cached()), names(list_folder(root_))) << after;
  }

  TempDir folder_;
  const std::string root_ = folder_ / "set", cache_ = folder_ / "cache/deep";
};

TEST_F(ListingTest, CountsWhatIsNoImage) {
  for (const char* file : {"b/1.jpg", "a/x.PNG", "a/deep/y.tiff", "a/notes.txt", "loose.png",
                           "a/.hidden.jpg", ".git/z.png", "a/noending", "a/.jpg"}) {
    add(file);
  }
  const auto listing = list_folder(root_);
  EXPECT_EQ(listing.classes, (Names{"a", "b"}));
  EXPECT_EQ(names(listing), (Names{"a/deep/y.tiff", "a/x.PNG", "b/1.jpg"}));
  EXPECT_EQ(listing.class_ends, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(listing.others, 3u);
  EXPECT_EQ(listing.first_other, "loose.png");
}

TEST_F(ListingTest, LinksAreFollowedAndALoopIsNamed) {
  add("a/1.jpg");
  write_file(folder_ / "elsewhere/2.jpg", "x");
  fs::create_directory_symlink(folder_ / "elsewhere", root_ + "/b");
  fs::create_symlink(root_ + "/a/1.jpg", root_ + "/a/link.jpg");
  fs::create_symlink(root_ + "/gone.jpg", root_ + "/a/to_nothing.jpg");
  EXPECT_EQ(names(list_folder(root_)),
            (Names{"a/1.jpg", "a/link.jpg", "a/to_nothing.jpg", "b/2.jpg"}));
  fs::create_directory_symlink(root_ + "/a", root_ + "/a/again");
  const auto message = error_of([&] { list_folder(root_); });
  EXPECT_TRUE(has(message, "a/again: leads back")) << message;
}

TEST_F(ListingTest, OnlyPlainFilesAreImages) {
  add("a/1.jpg");
  ASSERT_EQ(::mkfifo((root_ + "/a/pipe.jpg").c_str(), 0600), 0);
  fs::create_directory(root_ + "/a/directory.jpg");
  EXPECT_EQ(names(list_folder(root_)), Names{"a/1.jpg"});
}

TEST_F(ListingTest, ADirectoryThatCannotBeReadIsAnError) {
  add("a/1.jpg");
  add("b/1.jpg");
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  fs::permissions(root_ + "/b", fs::perms::none);
  const auto message = error_of([&] { list_folder(root_); });
  fs::permissions(root_ + "/b", fs::perms::owner_all);
  EXPECT_TRUE(has(message, "set/b: cannot list the directory")) << message;
}

TEST_F(ListingTest, TheSecondStartTakesTheListFromTheCache) {
  add("a/1.jpg");
  add("b/deep/2.jpg");
  const auto first = cached();
  ASSERT_TRUE(fs::exists(cache_file()));
  const auto second = cached();
  EXPECT_EQ(names(second), names(first));
  EXPECT_EQ(second.classes, first.classes);
  EXPECT_EQ(second.class_ends, first.class_ends);
  EXPECT_EQ(second.folders.size(), 4u);
  const auto written = stamp(cache_file());
  cached();
  EXPECT_EQ(stamp(cache_file()).inode, written.inode) << "it was written again";
}

TEST_F(ListingTest, ADirectoryThatChangedJustNowIsNotKept) {
  add("a/1.jpg");
  const auto changed = stamp(root_ + "/a").changed;
  cached(changed + 1'999'999'999);
  EXPECT_FALSE(fs::exists(cache_file()));
  cached(changed + 2'100'000'000);
  EXPECT_TRUE(fs::exists(cache_file()));
}

TEST_F(ListingTest, AnyChangeInTheTreeMakesTheCacheStale) {
  for (int i = 0; i < 3; ++i) {
    add("a/" + std::to_string(i) + ".jpg");
    add("b/deep/er/" + std::to_string(i) + ".jpg");
  }
  const auto in = [&](const std::string& file) { return root_ + "/" + file; };
  const std::vector<std::pair<std::string, std::function<void()>>> changes = {
      {"a file more", [&] { add("a/new.jpg"); }},
      {"a file less", [&] { fs::remove(in("a/0.jpg")); }},
      {"another name", [&] { fs::rename(in("a/1.jpg"), in("a/one.jpg")); }},
      {"a file more, deep", [&] { add("b/deep/er/new.jpg"); }},
      {"a file less, deep", [&] { fs::remove(in("b/deep/er/0.jpg")); }},
      {"another name, deep", [&] { fs::rename(in("b/deep/er/1.jpg"), in("b/deep/er/x.jpg")); }},
      {"a directory's name", [&] { fs::rename(in("b/deep/er"), in("b/deep/est")); }},
      {"a class more", [&] { add("c/1.jpg"); }},
      {"a class less", [&] { fs::remove_all(in("c")); }},
      {"a class's name", [&] { fs::rename(in("a"), in("z")); }},
      {"another directory by the same name",
       [&] {
         fs::rename(in("z"), folder_ / "old");
         add("z/other.jpg");
       }},
  };
  cached();
  for (const auto& [what, change] : changes) {
    next_tick();
    change();
    expect_fresh(what);
    expect_fresh(what + ", again");
  }
}

TEST_F(ListingTest, ATimeThatWasSetBackDoesNotDeceive) {
  add("a/1.jpg");
  cached();
  const auto before = fs::last_write_time(root_ + "/a");
  next_tick();
  add("a/2.jpg");
  fs::last_write_time(root_ + "/a", before);  // as rsync -t does
  expect_fresh("a file more");
}

TEST_F(ListingTest, ADamagedCacheIsIgnoredAndRewritten) {
  add("a/1.jpg");
  add("b/2.jpg");
  const auto expected = names(cached());
  const std::string good = read_file(cache_file());
  for (size_t i = 0; i < good.size(); i += 11) {
    for (const bool cut : {false, true}) {
      std::string bad = cut ? good.substr(0, i) : good;
      if (!cut) bad[i] = static_cast<char>(bad[i] ^ 0x81);
      write_file(cache_file(), bad);
      ASSERT_EQ(names(cached()), expected) << i;
      ASSERT_EQ(read_file(cache_file()), good) << i;
    }
  }
}

TEST_F(ListingTest, WithoutAPlaceForTheCacheItWorksTheSame) {
  add("a/1.jpg");
  EXPECT_EQ(names(list_folder_cached(root_, "", kMuchLater)), Names{"a/1.jpg"});
  write_file(folder_ / "file", "x");
  EXPECT_EQ(names(list_folder_cached(root_, folder_ / "file/below", kMuchLater)), Names{"a/1.jpg"});
}

TEST_F(ListingTest, ALinkToTheDirectorySharesItsCache) {
  add("a/1.jpg");
  fs::create_directory_symlink(root_, folder_ / "link");
  EXPECT_EQ(listing_cache_file(folder_ / "link", cache_), cache_file());
  EXPECT_EQ(listing_cache_file(root_ + "/../set/", cache_), cache_file());
  EXPECT_NE(listing_cache_file(folder_.path(), cache_), cache_file());
}

TEST_F(ListingTest, ALargeDirectoryIsListedCompletelyAndInOrder) {
  Names expected;
  write_file(folder_ / "empty", "");
  for (int c = 0; c < 100; ++c) {
    const std::string name = "class" + std::to_string(1000 + c);
    fs::create_directories(root_ + "/" + name);
    for (int i = 0; i < 200; ++i) {
      const std::string file = name + "/" + std::to_string(10000 + i * 37 % 200) + ".jpg";
      fs::create_hard_link(folder_ / "empty", root_ + "/" + file);  // faster than a new file
      expected.push_back(file);
    }
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names(cached()), expected);
  EXPECT_EQ(names(cached()), expected);
  next_tick();
  add("class1050/new.jpg");
  fs::remove(root_ + "/class1099/10000.jpg");
  expect_fresh("two changes");
  EXPECT_EQ(cached().ends.size(), 20'000u);
}

TEST(ListingCacheFolder, FollowsTheXdgSpecification) {
  const auto keep = [](const char* name) {
    const char* value = ::getenv(name);
    return std::make_pair(value != nullptr, std::string(value ? value : ""));
  };
  const auto restore = [](const char* name, const std::pair<bool, std::string>& value) {
    value.first ? ::setenv(name, value.second.c_str(), 1) : ::unsetenv(name);
  };
  const auto cache = keep("XDG_CACHE_HOME"), home = keep("HOME");
  ::setenv("XDG_CACHE_HOME", "/x", 1);
  ::setenv("HOME", "/h", 1);
  EXPECT_EQ(listing_cache_folder(), "/x/weightformer");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(listing_cache_folder(), "/h/.cache/weightformer");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(listing_cache_folder(), "/h/.cache/weightformer");
  ::unsetenv("HOME");
  EXPECT_EQ(listing_cache_folder(), "");
  restore("XDG_CACHE_HOME", cache);
  restore("HOME", home);
}

}  // namespace
}  // namespace wf::testing
