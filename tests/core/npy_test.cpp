#include "core/npy.h"

#include "core/atomic_file.h"
#include "core/checksum.h"
#include "core/mapped_file.h"
#include "core/zip_archive.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>

namespace wf::testing {
namespace {

class Npy : public ::testing::Test {
 protected:
  TempDir directory_;
  std::string path_ = directory_ / "a.npy";

  std::string problem() {
    return error_of([&] { read_npy(path_); });
  }
  void write(const std::string& bytes) { std::ofstream(path_, std::ios::binary) << bytes; }
};

class NpyAndNumpy : public Npy {
 protected:
  void SetUp() override {
    if (run({WF_PYTHON, "-c", "import numpy"}).code != 0) GTEST_SKIP() << "no numpy";
  }
  void python(const std::string& code) {
    const auto result =
        run({WF_PYTHON, "-c", "import numpy as np\npath = '" + path_ + "'\n" + code});
    ASSERT_EQ(result.code, 0) << result.err;
  }
};

TEST_F(Npy, ReadsWhatItWrites) {
  for (const auto type :
       {torch::kFloat, torch::kDouble, torch::kHalf, torch::kByte, torch::kLong}) {
    for (const auto& shape : std::vector<std::vector<int64_t>>{{}, {5}, {2, 3, 4}, {0, 3}}) {
      const auto array = (torch::rand(shape) * 100).to(type);
      write_npy(path_, array);
      const auto back = read_npy(path_);
      EXPECT_EQ(back.scalar_type(), type);
      EXPECT_TRUE(torch::equal(back, array));
    }
  }
}

TEST_F(NpyAndNumpy, NumpyReadsItsFiles) {
  write_npy(path_, torch::arange(6, torch::kFloat).view({2, 3}));
  python(
      "a = np.load(path)\nassert a.dtype == np.float32 and a.tolist() == [[0, 1, 2], [3, 4, 5]]");
  write_npy(path_, torch::arange(5, torch::kByte));
  python("assert np.load(path, mmap_mode='r').tolist() == [0, 1, 2, 3, 4]");
}

TEST_F(NpyAndNumpy, ReadsNumpysFiles) {
  python("np.save(path, np.arange(24, dtype=np.float64).reshape(2, 3, 4))");
  EXPECT_TRUE(torch::equal(read_npy(path_), torch::arange(24, torch::kDouble).view({2, 3, 4})));
  python("np.lib.format.write_array(open(path, 'wb'), np.arange(3), version=(2, 0))");
  EXPECT_TRUE(torch::equal(read_npy(path_), torch::arange(3)));
}

TEST_F(NpyAndNumpy, RefusesInOneLineWhatItCannotRead) {
  python("np.save(path, np.asfortranarray(np.ones((2, 3))))");
  EXPECT_TRUE(has(problem(), "Fortran order")) << problem();
  python("np.save(path, np.ones(3, dtype='>f4'))");
  EXPECT_TRUE(has(problem(), "big-endian")) << problem();
  python("np.save(path, np.array([{}, 1], dtype=object), allow_pickle=True)");
  EXPECT_TRUE(has(problem(), "has type |O")) << problem();
  python("np.save(path, np.zeros(3, dtype=[('a', 'f4')]))");
  EXPECT_TRUE(has(problem(), "damaged .npy file")) << problem();
}

TEST_F(Npy, RefusesDamagedFiles) {
  write_npy(path_, torch::rand({4, 4}));
  const std::string complete(MappedFile(path_).bytes());
  for (size_t size = 1; size < complete.size(); ++size) {
    write(complete.substr(0, size));
    ASSERT_NE(problem(), "") << size;
  }
  write(complete + "x");
  EXPECT_TRUE(has(problem(), "extra bytes after its array")) << problem();
  auto huge = complete;
  huge.replace(huge.find("(4, 4)"), 6, "(4611686018427387904, 4)");
  write(huge);
  EXPECT_TRUE(has(problem(), "truncated")) << problem();
  auto empty = complete;
  empty.replace(empty.find("(4, 4)"), 6, "(0, 4611686018427387904, 4)");
  write(empty);
  EXPECT_TRUE(has(problem(), "truncated")) << problem();
  write("no array");
  EXPECT_TRUE(has(problem(), "not a .npy file")) << problem();
}

TEST_F(Npy, ItsHeaderIsReadAsPythonWouldReadIt) {
  write_npy(path_, torch::rand({4, 4}));
  const std::string complete(MappedFile(path_).bytes());
  const auto changed = [&](const std::string& from, const std::string& to) {
    auto text = complete;
    text.replace(text.find(from), from.size(), to);
    // The length of the header stays, its padding gives way.
    const auto begin = text.find("}") + 1;
    if (to.size() > from.size()) text.erase(begin, to.size() - from.size());
    if (to.size() < from.size()) text.insert(begin, from.size() - to.size(), ' ');
    write(text);
    return problem();
  };
  EXPECT_EQ(changed("(4, 4)", "(4,4,)"), "");
  EXPECT_EQ(changed("(4, 4)", "(16,)"), "");
  for (const std::string& wrong :
       std::vector<std::string>{"(16)", "(4 4)", "(4,,4)", "(,)", "(04, 4)", "4, 4", "(4, 4"}) {
    EXPECT_TRUE(has(changed("(4, 4)", wrong), "header cannot be read")) << wrong;
  }
  EXPECT_TRUE(has(changed("False, '", "False '"), "header cannot be read"));
  EXPECT_TRUE(has(changed("{'descr'", "{,'descr'"), "header cannot be read"));
  EXPECT_TRUE(has(changed("} ", "}x"), "header cannot be read"));
}

TEST_F(NpyAndNumpy, AnArchiveInPiecesIsOneThatNumpyOpens) {
  const auto array = torch::arange(600, torch::kInt).to(torch::kByte).view({100, 6});
  const auto header = npy_header(torch::kByte, {100, 6});
  const std::string_view data(static_cast<const char*>(array.data_ptr()), 600);
  const auto first = data.substr(0, 200), rest = data.substr(200);
  auto crc = checksum_of_both(checksum(header), checksum(first), first.size());
  crc = checksum_of_both(crc, checksum(rest), rest.size());
  AtomicFile file(path_);
  ZipWriter zip(file);
  zip.begin("arr_0.npy", header.size() + 600, crc);
  for (const auto part : {std::string_view(header), first, rest}) zip.append(part);
  zip.finish();
  EXPECT_TRUE(has(error_of([&] { zip.append("more"); }), "more bytes than announced"));
  file.commit();
  python(
      "a = np.load(path)['arr_0']\nassert a.shape == (100, 6) and (a.ravel() == np.arange(600) % "
      "256).all()");
}

}  // namespace
}  // namespace wf::testing
