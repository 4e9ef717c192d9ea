#include "core/npz.h"

#include "core/inflate.h"
#include "support/errors.h"
#include "support/process.h"
#include "support/zip_writer.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace wf::testing {
namespace {

std::string npy(const at::Tensor& array) {
  return npy_header(array.scalar_type(), array.sizes().vec()) +
         std::string(static_cast<const char*>(array.data_ptr()), array.nbytes());
}

class Npz : public ::testing::Test {
 protected:
  TempDir directory_;
  const std::string path_ = directory_ / "a.npz";
  const at::Tensor images_ = torch::arange(2 * 3 * 4 * 3, torch::kByte).view({2, 3, 4, 3});
  const at::Tensor mu_ = torch::linspace(0, 1, 5, torch::kDouble);

  std::string says(const std::string& bytes, const std::string& name = "mu") {
    write_file(path_, bytes);
    return error_of([&] { NpzFile(path_).read(name); });
  }
};

TEST_F(Npz, ReadsStoredAndDeflatedArrays) {
  for (const bool deflate : {false, true}) {
    write_file(path_,
               zip_bytes({{"arr_0.npy", npy(images_), deflate}, {"mu.npy", npy(mu_), deflate}}));
    const NpzFile file(path_);
    EXPECT_EQ(file.names(), (std::vector<std::string>{"arr_0", "mu"}));
    EXPECT_TRUE(file.has("mu"));
    EXPECT_FALSE(file.has("sigma"));
    EXPECT_TRUE(torch::equal(file.read("arr_0"), images_));
    EXPECT_TRUE(torch::equal(file.read("mu"), mu_));
    const auto array = file.open("arr_0");
    EXPECT_EQ(array.header.shape, images_.sizes().vec());
    EXPECT_TRUE(torch::equal(array.rows(1, 2), images_.slice(0, 1, 2)));
  }
}

TEST_F(Npz, WritesWhatItReadsAndTextsBeside) {
  write_npz(path_,
            {{{"mu", mu_}, {"arr_0", images_.transpose(0, 1)}}, {{"settings.txt", "a: b\n"}}});
  const NpzFile file(path_);
  EXPECT_TRUE(torch::equal(file.read("mu"), mu_));
  EXPECT_TRUE(torch::equal(file.read("arr_0"), images_.transpose(0, 1)));
  EXPECT_EQ(file.text("settings.txt"), "a: b\n");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"arr_0", "mu"}));
}

TEST_F(Npz, IsExchangedWithNumPy) {
  if (run({WF_PYTHON, "-c", "import numpy"}).code != 0) GTEST_SKIP() << "no NumPy in this Python";
  const auto python = [&](const std::string& code) {
    const auto result = run({WF_PYTHON, "-c", "import numpy as np\n" + code});
    ASSERT_EQ(result.code, 0) << result.err;
  };
  for (const auto* save : {"savez", "savez_compressed"}) {
    python("np." + std::string(save) + "('" + path_ +
           "', mu=np.linspace(0, 1, 5), arr_0=np.arange(72, dtype=np.uint8).reshape(2, 3, 4, 3))");
    EXPECT_TRUE(torch::allclose(NpzFile(path_).read("mu"), mu_, 1e-15, 0)) << save;
    EXPECT_TRUE(torch::equal(NpzFile(path_).read("arr_0"), images_)) << save;
  }
  write_npz(path_, {{{"mu", mu_}}, {{"settings.txt", "a"}}});
  python("f = np.load('" + path_ + "')\nassert f['mu'].shape == (5,) and f['mu'][4] == 1");
}

TEST_F(Npz, RefusesWhatIsTruncatedOrDamagedInOneLine) {
  const auto good = zip_bytes({{"mu.npy", npy(mu_), true}});
  EXPECT_EQ(says(good), "");
  for (size_t size = 0; size < good.size(); size += 7) {
    const auto message = says(good.substr(0, size));
    EXPECT_FALSE(message.empty()) << size;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_TRUE(size == 0 || has(message, path_)) << message;
  }
  EXPECT_TRUE(has(says(good, "sigma"), "has no sigma.npy; it has mu"));
  auto damaged = good;
  damaged[60] = static_cast<char>(damaged[60] ^ 1);
  EXPECT_TRUE(has(says(damaged), "mu.npy: damaged")) << says(damaged);
  auto stored = zip_bytes({{"mu.npy", npy(mu_)}});
  stored[stored.find("NUMPY") + 130] ^= 1;
  EXPECT_TRUE(has(says(stored), "CRC-32 does not match")) << says(stored);
  EXPECT_TRUE(has(says(zip_bytes({{"mu.npy", npy(mu_).substr(0, 100)}})), "truncated .npy file"));
}

TEST(Inflate, WantsExactlyTheSize) {
  const std::string text(100'000, 'x');
  const auto packed = deflated(text);
  std::string out(text.size() + 1, '\0');
  EXPECT_TRUE(inflate_to(packed, out.data(), text.size()));
  EXPECT_EQ(out.substr(0, text.size()), text);
  EXPECT_FALSE(inflate_to(packed, out.data(), text.size() - 1));
  EXPECT_FALSE(inflate_to(packed, out.data(), text.size() + 1));
  EXPECT_FALSE(inflate_to(packed.substr(0, packed.size() - 1), out.data(), text.size()));
  EXPECT_FALSE(inflate_to("", out.data(), 0));
}

}  // namespace
}  // namespace wf::testing
