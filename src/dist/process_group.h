// The process group of a run: LibTorch's c10d with Gloo on CPUs and NCCL on GPUs.
#pragma once

#include "weightformer/core/check.h"

#include "dist/launch_env.h"
#include "dist/traffic.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace c10d {
class Backend;
class ProcessGroup;
class Store;
class Work;
}  // namespace c10d

namespace wf {

struct GroupOptions {
  /// Timeout of the rendezvous and of every collective.
  std::chrono::milliseconds timeout{600'000};
};

/// All processes of a run. Every call is made by all ranks, in the same order, from one thread.
///
/// When another process has ended or is silent for longer than the timeout, any of these calls
/// throws wf::Error with exit code Error::kPeerLost; the group is then unusable, and its threads
/// may still wait, so the process should exit by std::_Exit.
class ProcessGroup {
 public:
  /// Connects to the other ranks at `env.master_addr`. CPU tensors use Gloo, over the network
  /// interface that reaches that address (GLOO_SOCKET_IFNAME overrides it); tensors on a CUDA
  /// `device` use NCCL. Throws wf::Error when ranks are missing after the timeout.
  ProcessGroup(const LaunchEnv& env, c10::Device device, const GroupOptions& options);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return env_.rank; }
  int world() const { return env_.world; }
  /// Whether this process reads and writes for all: rank 0, and any rank of a simulated run.
  bool is_root() const { return env_.rank == 0 || simulated(); }
  /// Whether the other ranks do not exist (Launcher::simulated).
  bool simulated() const { return env_.launcher == Launcher::simulated; }
  /// What a simulated run would have exchanged so far.
  const Traffic& traffic() const { return *traffic_; }

  /// Replaces `tensor` (any float or integer type, on the CPU or the group's device) by its sum
  /// over the ranks.
  void sum(at::Tensor& tensor);
  /// The same without waiting: on a CPU tensor it continues in the background until wait().
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
  /// `hint` what to do about a difference.
  void require_equal(
      const std::string& what, const std::string& text,
      const std::string& hint = "start all ranks with the same command and configuration");
  void barrier();

  /// Runs `work` on rank 0 while the others wait, while its heartbeat arrives: a checkpoint may
  /// take longer than the timeout. An exception of `work` is rethrown on rank 0, and the others
  /// throw Error::kPeerLost.
  void on_root(const std::string& what, const std::function<void()>& work);

  /// Runs `work`, which contains collectives, and turns their failures into kPeerLost: "rank 1 of
  /// 2: averaging the gradients failed after 5.1 s: …".
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
  // Throws the Error when `problem` comes from a collective, returns otherwise.
  void rethrow(const std::string& what, std::chrono::steady_clock::duration after,
               const std::exception& problem) const;
  [[noreturn]] void throw_peer_lost(const std::string& message) const;
  void rendezvous();
  void connect(c10::Device device);
  void end_nccl() noexcept;
  void beat_while(const std::string& key, const std::function<void()>& work);
  void wait_for_root(const std::string& what, const std::string& key);

  LaunchEnv env_;
  std::chrono::milliseconds timeout_;
  c10::intrusive_ptr<c10d::Store> store_;
  c10::intrusive_ptr<c10d::ProcessGroup> native_;
  c10::intrusive_ptr<c10d::Backend> nccl_;  // null on a CPU
  std::shared_ptr<Traffic> traffic_ = std::make_shared<Traffic>();
  int64_t root_works_ = 0;     // calls of on_root so far
  mutable bool lost_ = false;  // a collective has failed
};

}  // namespace wf
