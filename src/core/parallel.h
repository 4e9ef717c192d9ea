// at::parallel_for, for files that are compiled with OpenMP.
#pragma once

#include <ATen/Config.h>
#include <ATen/Parallel.h>

// Without -fopenmp its header silently compiles to a sequential loop.
#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "compile this file with OpenMP: see cmake/Torch.cmake"
#endif
