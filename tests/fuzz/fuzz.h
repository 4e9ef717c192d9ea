// One reader under fire. Linked with driver.cpp, or with clang's libFuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

/// Must return for any bytes; a crash, a leak or what a sanitizer sees is the finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// What of a golden file this target is to be fed with; "" when nothing.
std::string fuzz_seed(const std::string& file);
