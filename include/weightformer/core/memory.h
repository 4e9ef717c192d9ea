// Memory of CPU tensors.
#pragma once

namespace wf {

/// Keeps freed tensor memory in the process, where it fits the next tensor of that size. Call it
/// before the first tensor of a program that runs a model on the CPU. Without it, getting pages
/// from the kernel for each operator takes a third of the time of wfm_tiny's forward pass, and
/// fragmentation takes a quarter of the memory of wfm_small's training step (docs/performance.md).
/// Sets malloc's limits (mallopt) and c10's allocator of CPU tensors for the process.
void keep_freed_memory();

}  // namespace wf
