// at::parallel_for, in a file where it is one.
#pragma once

#include <ATen/Config.h>
#include <ATen/Parallel.h>

// Without -fopenmp its header compiles to a plain loop, and nothing says so.
#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "compile this file with OpenMP: see cmake/Torch.cmake"
#endif
