// How a process keeps the memory of its tensors.
#pragma once

namespace wf {

/// For a program whose work is a model on the CPU, before its first tensor: what tensors free stays
/// in the process and fits the next tensor of that size. Fetching it from the kernel anew, operator
/// by operator, costs a forward pass of wfm_tiny a third of its time, and gaps that nothing fits
/// cost a training step of wfm_small a quarter of its memory (docs/performance.md). Of the whole
/// process: it sets malloc's limits (mallopt) and c10's allocator of CPU tensors.
void keep_freed_memory();

}  // namespace wf
