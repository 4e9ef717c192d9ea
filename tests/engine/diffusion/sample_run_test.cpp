#include "engine/diffusion/sample_run.h"

#include "core/npz.h"
#include "support/process.h"
#include "support/temp_dir.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace wf::testing {
namespace {

// An archive above 4 GiB, in small.
TEST(SampleRun, WritesAnArchiveInThe64BitFormThatNumPyOpens) {
  auto options = dit_options("dit_nano");
  options.channels(3).latent_size(4);
  SamplingOptions sampling;
  sampling.height = sampling.width = 4;
  sampling.solver.steps = 2;
  sampling.batch_size = 4;
  const SampleGenerator generator(std::make_shared<DiTImpl>(options), sampling);
  const TempDir wide, usual;
  Distributed alone;
  for (const bool large : {false, true}) {
    SampleRunOptions run;
    run.directory = large ? wide.path() : usual.path();
    run.images = 10;
    run.shard = 4;
    run.classes = 10;
    run.settings = "of a test\n";
    if (large) run.zip64_from = 100;
    run_samples(generator, run, alone);
  }
  const auto expected = NpzFile(usual / "samples.npz").read("arr_0");
  EXPECT_EQ(expected.sizes(), (std::vector<int64_t>{10, 4, 4, 3}));
  EXPECT_TRUE(torch::equal(NpzFile(wide / "samples.npz").read("arr_0"), expected));
  const auto bytes = read_file(wide / "samples.npz");
  EXPECT_NE(bytes.find("PK\x06\x06"), std::string::npos);  // the end record of 64 bits
  EXPECT_EQ(read_file(usual / "samples.npz").find("PK\x06\x06"), std::string::npos);
  if (run({WF_PYTHON, "-c", "import numpy"}).code != 0) GTEST_SKIP() << "no NumPy in this Python";
  const auto read = run({WF_PYTHON, "-c",
                         "import numpy as np, sys, zipfile\n"
                         "a, b = (np.load(d + '/samples.npz')['arr_0'] for d in sys.argv[1:])\n"
                         "assert a.dtype == np.uint8 and a.shape == (10, 4, 4, 3), a.shape\n"
                         "assert (a == b).all()\n"
                         "assert zipfile.ZipFile(sys.argv[1] + '/samples.npz').testzip() is None",
                         wide.path(), usual.path()});
  EXPECT_EQ(read.code, 0) << read.err;
}

}  // namespace
}  // namespace wf::testing
