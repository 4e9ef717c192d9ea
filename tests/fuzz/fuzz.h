// A fuzz target. Linked with driver.cpp, or with clang's libFuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

/// Must return for any bytes; a crash, a leak or a sanitizer report is a finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// The part of a golden file that is a seed of this target; "" for none.
std::string fuzz_seed(const std::string& file);

/// MiB that any input may take, besides what it takes for each of its bytes.
extern const size_t fuzz_megabytes;
