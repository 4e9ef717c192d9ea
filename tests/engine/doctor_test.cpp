#include "engine/doctor/finding.h"
#include "support/errors.h"
#include "support/temp_dir.h"

#include <ATen/Version.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace wf::testing {
namespace {

TEST(Doctor, ALibTorchOfAnotherVersionIsAFault) {
  const TempDir torch;
  const auto library = torch / "lib/libtorch_cpu.so";
  write_file(torch / "version.py", "from x import y\n__version__ = '2.10.1+cpu'\ncuda = None\n");
  const auto wrong = check_libtorch(library, "2.11.0");
  EXPECT_EQ(wrong.severity, Severity::fault);
  EXPECT_TRUE(has(wrong.what, "LibTorch 2.10.1+cpu, " + library)) << wrong.what;
  EXPECT_TRUE(has(wrong.advice, "compiled for 2.11.0")) << wrong.advice;
  write_file(torch / "build-version", "2.11.0+cu130\n");  // of the archive
  EXPECT_EQ(check_libtorch(library, "2.11.0").severity, Severity::fine);
}

TEST(Doctor, InstructionsBelowThoseOfTheProcessorAreAWarning) {
  const auto found = check_instructions("DEFAULT", "default");
  const auto own = check_instructions(at::get_cpu_capability(), "");
  if (!std::getenv("ATEN_CPU_CAPABILITY")) {
    EXPECT_EQ(own.severity, Severity::fine) << own.what;
  }
  if (at::get_cpu_capability() == "DEFAULT") GTEST_SKIP() << "this processor has no others";
  EXPECT_EQ(found.severity, Severity::warning);
  EXPECT_EQ(found.advice, "ATEN_CPU_CAPABILITY is default: unset it");
}

TEST(Doctor, MoreThreadsThanCpusAreAWarning) {
  EXPECT_EQ(check_threads(2, 2).severity, Severity::fine);
  const auto found = check_threads(8, 2);
  EXPECT_EQ(found.severity, Severity::warning);
  EXPECT_TRUE(has(found.what, "8 for 2 CPUs")) << found.what;
  EXPECT_TRUE(has(found.advice, "THREADS 2")) << found.advice;
}

TEST(Doctor, LittleMemoryFewFilesAndASmallSharedMemoryAreWarnings) {
  EXPECT_EQ(check_memory(5000).severity, Severity::fine);
  EXPECT_EQ(check_memory(500).severity, Severity::warning);
  EXPECT_EQ(check_open_files(1024).severity, Severity::fine);
  EXPECT_EQ(check_open_files(64).severity, Severity::warning);
  const TempDir directory;
  EXPECT_EQ(check_shared_memory(directory.path(), 1).severity, Severity::fine);
  EXPECT_EQ(check_shared_memory(directory.path(), 1 << 30).severity, Severity::warning);
  EXPECT_EQ(check_shared_memory(directory / "none", 0).severity, Severity::fine);
  EXPECT_EQ(check_shared_memory(directory / "none", 2).severity, Severity::fault);
}

}  // namespace
}  // namespace wf::testing
