// The precompiled header: what most files need of LibTorch. torch/torch.h would cost every file
// 7 s of CPU time, in which the compiler instantiates templates that few files use; this one 2.5 s.
// Includes nothing of this project, so that no edit rebuilds everything.

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>
