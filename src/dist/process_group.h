// The processes of a run, joined: LibTorch's c10d with Gloo on CPUs and NCCL on GPUs.
#pragma once

#include "weightformer/core/check.h"

#include "dist/launch_env.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace c10d {
class ProcessGroup;
class Store;
class Work;
}  // namespace c10d

namespace wf {

struct GroupOptions {
  /// How long another process may be silent, at the start and in every exchange.
  std::chrono::milliseconds timeout{600'000};
};

/// All processes of a run. Every call is made by all ranks, in the same order, from one thread.
///
/// When another process has ended or is silent for longer than the timeout, any of these calls
/// throws wf::Error with exit code Error::kPeerLost; the group is of no use then, and its threads
/// may still wait for what will not come, so the process should leave by std::_Exit.
class ProcessGroup {
 public:
  /// Meets the others at `env.master_addr`. CPU tensors travel by Gloo, over the network interface
  /// that reaches that address (GLOO_SOCKET_IFNAME names another); with a CUDA `device`, tensors on
  /// it by NCCL. Throws wf::Error when not all have come within the timeout.
  ProcessGroup(const LaunchEnv& env, c10::Device device, const GroupOptions& options);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return env_.rank; }
  int world() const { return env_.world; }
  bool is_root() const { return env_.rank == 0; }

  /// Replaces `tensor` (any float or integer type, on the CPU or the group's device) by its sum
  /// over the ranks.
  void sum(at::Tensor& tensor);
  /// The same without waiting: on a CPU tensor it goes on in the background until wait().
  class Pending {
   public:
    Pending();
    ~Pending();
    Pending(Pending&&) noexcept;
    Pending& operator=(Pending&&) noexcept;
    void wait();

   private:
    friend class ProcessGroup;
    c10::intrusive_ptr<c10d::Work> work_;
    const ProcessGroup* group_ = nullptr;
  };
  Pending start_sum(at::Tensor& tensor);

  /// Replaces `tensor` by rank 0's.
  void broadcast(at::Tensor& tensor);
  /// Rank 0's text.
  std::string broadcast(std::string text);
  /// Throws wf::Error on every rank unless all have the same `text`; on a rank that differs from
  /// rank 0 the message names the first line that does. `what` is what the text describes, and
  /// `advice` what to do about a difference.
  void require_equal(
      const std::string& what, const std::string& text,
      const std::string& advice = "start all ranks with the same command and configuration");
  void barrier();

  /// Runs `work` on rank 0 while the others wait, for as long as rank 0 gives signs of life: a
  /// checkpoint may take longer than the timeout. What it throws on rank 0 goes through there, and
  /// the others throw Error::kPeerLost.
  void on_root(const std::string& what, const std::function<void()>& work);

  /// Runs `work`, which exchanges with the others, and turns the failure of an exchange into
  /// kPeerLost: "rank 1 of 2: averaging the gradients failed after 5.1 s: …".
  template <typename Work>
  auto guarded(const std::string& what, Work&& work) const {
    const auto begin = std::chrono::steady_clock::now();
    try {
      return work();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& problem) {
      rethrow(what, std::chrono::steady_clock::now() - begin, problem);
      throw;
    }
  }

  const c10::intrusive_ptr<c10d::ProcessGroup>& native() const { return native_; }

 private:
  // Throws the Error when `problem` comes from an exchange, returns otherwise.
  void rethrow(const std::string& what, std::chrono::steady_clock::duration after,
               const std::exception& problem) const;
  [[noreturn]] void lose(const std::string& message) const;
  void meet();
  void connect(c10::Device device);
  void beat_while(const std::string& key, const std::function<void()>& work);
  void wait_for_root(const std::string& what, const std::string& key);

  LaunchEnv env_;
  std::chrono::milliseconds timeout_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroup> native_;
  int64_t root_works_ = 0;     // calls of on_root so far
  mutable bool lost_ = false;  // an exchange has failed
};

}  // namespace wf
