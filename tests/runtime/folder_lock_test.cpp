#include "runtime/folder_lock.h"

#include "weightformer/core/check.h"

#include "support/temp_dir.h"

#include <gtest/gtest.h>

#include <optional>

namespace wf::testing {
namespace {

TEST(FolderLock, KeepsASecondRunOutUntilTheFirstEnds) {
  const TempDir folder;
  std::optional<FolderLock> first(std::in_place, folder.path());
  EXPECT_THROW(FolderLock{folder.path()}, Error);
  first.reset();
  EXPECT_NO_THROW(FolderLock{folder.path()});
}

}  // namespace
}  // namespace wf::testing
