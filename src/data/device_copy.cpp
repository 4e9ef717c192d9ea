#include "data/device_copy.h"

#include <ATen/core/Tensor.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace wf {

DeviceCopy::DeviceCopy(c10::Device device)
    : device_(device),
      stream_(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)),
      done_(device.type()) {}

void DeviceCopy::begin(Batch host) {
  batch_ = std::move(host);
  const c10::StreamGuard guard(stream_);
  for (at::Tensor* tensor : {&batch_->inputs, &batch_->labels, &batch_->noise}) {
    if (tensor->defined()) *tensor = tensor->to(device_, /*non_blocking=*/true);
  }
  done_.record(stream_);
}

Batch DeviceCopy::finish() {
  const auto current = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
  done_.block(current);
  // The memory belongs to the copying stream, which must not reuse it while it is in use.
  for (const at::Tensor* tensor : {&batch_->inputs, &batch_->labels, &batch_->noise}) {
    if (tensor->defined()) tensor->record_stream(current);
  }
  Batch out = *std::move(batch_);
  batch_.reset();
  return out;
}

}  // namespace wf
