#include "dist/process_group.h"

#include "dist/backend.h"
#include "dist/rendezvous.h"
#include "dist/simulated_backend.h"
#include "runtime/log.h"

#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/types.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <new>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace wf {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kEndOfNccl(10000);

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// Whether the error comes from c10d, Gloo or NCCL, and not from the work between collectives, whose
// errors have the types named here. Gloo's have types that only its headers declare.
bool from_an_exchange(const std::exception& problem) {
  if (dynamic_cast<const c10::DistError*>(&problem)) return true;
  if (dynamic_cast<const std::bad_alloc*>(&problem)) return false;
  if (!dynamic_cast<const c10::Error*>(&problem)) return true;
  const std::string text = problem.what();
  for (const char* sign : {"gloo", "NCCL", "Timed out waiting"}) {
    if (text.find(sign) != std::string::npos) return true;
  }
  return false;
}

// The first line without the "[file.cc:12]" in front.
std::string first_line(const std::exception& problem) {
  std::string text = problem.what();
  text = text.substr(0, text.find('\n'));
  const auto bracket = text.find("] ");
  if (!text.empty() && text.front() == '[' && bracket != std::string::npos)
    text = text.substr(bracket + 2);
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

// The first lines in which two texts differ; "nothing" for a text with fewer lines.
std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  std::istringstream in_a(a), in_b(b);
  std::string line_a, line_b;
  do {
    if (!std::getline(in_a, line_a)) line_a = "nothing";
    if (!std::getline(in_b, line_b)) line_b = "nothing";
  } while (line_a == line_b && (in_a || in_b));
  return {line_a, line_b};
}

const char* hint(const std::string& problem) {
  const auto has = [&](const char* sign) { return problem.find(sign) != std::string::npos; };
  if (has("EADDRINUSE")) {
    return "Another program uses this port: choose another MASTER_PORT (torchrun: --master-port)";
  }
  if (has("Ping failed") || has("wrong protocol")) {
    return "Another service answers there, or rank 0 hangs: choose another MASTER_PORT or "
           "MASTER_ADDR, or end rank 0";
  }
  return "Another rank exited or timed out; start the run again to resume from the last "
         "checkpoint";
}

// When a peer is lost, c10d warns in many lines, with a stack trace, before the error that this
// class turns into one line. TORCH_CPP_LOG_LEVEL=WARNING shows them.
void hide_warnings_of_c10d() {
  if (!std::getenv("TORCH_CPP_LOG_LEVEL")) ::setenv("TORCH_CPP_LOG_LEVEL", "ERROR", 1);
  c10::initLogging();
}

std::string arrival_key(int rank) { return str("here/", rank); }

}  // namespace

ProcessGroup::ProcessGroup(const LaunchEnv& env, c10::Device device, const GroupOptions& options)
    : env_(env), timeout_(options.timeout) {
  hide_warnings_of_c10d();
  guarded(str("rendezvous at ", env_.master_addr, ":", env_.master_port), [&] { rendezvous(); });
  guarded("connecting to the other ranks", [&] { connect(device); });
}

ProcessGroup::~ProcessGroup() {
  end_nccl();
  // Leak it: Gloo's destructor waits for all pending operations, so after a failure the error would
  // be delayed by one timeout per operation.
  if (lost_) native_.release();
}

// Otherwise NCCL warns that the group was not destroyed, or, after a lost peer, its kernels spin on
// the GPU while tensors are freed.
void ProcessGroup::end_nccl() noexcept {
  if (!nccl_) return;
  // In a thread, since a communicator with a lost peer may not return.
  std::packaged_task<void()> end(
      [nccl = nccl_, lost = lost_] { lost ? nccl->abort() : nccl->shutdown(); });
  const auto ended = end.get_future();
  std::thread(std::move(end)).detach();
  ended.wait_for(kEndOfNccl);
}

void ProcessGroup::rendezvous() {
  if (env_.world == 1 || simulated()) {
    store_ = c10::make_intrusive<c10d::HashStore>();
    return;
  }
  // torchrun's store outlives a failed attempt and still holds its keys.
  store_ = c10::make_intrusive<c10d::PrefixStore>(str("weightformer/attempt_", env_.restart),
                                                  open_store(env_, timeout_));
  store_->set(arrival_key(env_.rank), "arrived");
  std::vector<std::string> all;
  for (int rank = 0; rank < env_.world; ++rank) all.push_back(arrival_key(rank));
  try {
    store_->wait(all, timeout_);
  } catch (const c10::DistError&) {
    std::string missing;
    for (int rank = 0; rank < env_.world; ++rank) {
      if (!store_->check({arrival_key(rank)})) missing += str(missing.empty() ? "" : ", ", rank);
    }
    throw_peer_lost(str("waited ", seconds(timeout_), " s (DIST.TIMEOUT_S) at ", env_.master_addr,
                        ":", env_.master_port, ", and these ranks are missing: ", missing));
  }
}

void ProcessGroup::connect(c10::Device device) {
  using Type = c10d::ProcessGroup::BackendType;
  const auto prefixed = [&](const char* name) {
    return c10::make_intrusive<c10d::PrefixStore>(name, store_);
  };
  native_ = c10::make_intrusive<c10d::ProcessGroup>(store_, env_.rank, env_.world);
  if (simulated()) {
    const auto backend = make_simulated(env_, traffic_);
    for (const auto type : {c10::kCPU, c10::kCUDA}) {
      native_->setBackend(type, Type::CUSTOM, backend);
    }
    native_->setDefaultBackend(Type::CUSTOM);
    return;
  }
  native_->setBackend(c10::kCPU, Type::GLOO, make_gloo({prefixed("gloo"), env_, timeout_}));
  native_->setDefaultBackend(Type::GLOO);
  if (device.is_cuda()) {
    nccl_ = make_nccl({prefixed("nccl"), env_, timeout_});
    native_->setBackend(c10::kCUDA, Type::NCCL, nccl_);
    native_->setDefaultBackend(Type::NCCL);
  }
}

void ProcessGroup::throw_peer_lost(const std::string& message) const {
  lost_ = true;
  throw Error(str("rank ", env_.rank, " of ", env_.world, ": ", message), Error::kPeerLost);
}

void ProcessGroup::rethrow(const std::string& what, Clock::duration after,
                           const std::exception& problem) const {
  if (!from_an_exchange(problem)) return;
  const auto text = first_line(problem);
  throw_peer_lost(
      fmt::format("{} failed after {:.1f} s: {}. {}", what, seconds(after), text, hint(text)));
}

ProcessGroup::Pending::Pending() = default;
ProcessGroup::Pending::~Pending() = default;
ProcessGroup::Pending::Pending(Pending&&) noexcept = default;
ProcessGroup::Pending& ProcessGroup::Pending::operator=(Pending&&) noexcept = default;

ProcessGroup::Pending ProcessGroup::start_sum(at::Tensor& tensor) {
  Pending pending;
  pending.group_ = this;
  std::vector<at::Tensor> tensors{tensor};
  pending.work_ = guarded("an all-reduce", [&] { return native_->allreduce(tensors); });
  return pending;
}

void ProcessGroup::Pending::wait() {
  if (!work_) return;
  const auto work = std::move(work_);
  group_->guarded("an all-reduce", [&] { work->wait(); });
}

void ProcessGroup::sum(at::Tensor& tensor) { start_sum(tensor).wait(); }

void ProcessGroup::broadcast(at::Tensor& tensor) {
  std::vector<at::Tensor> tensors{tensor};
  guarded("a broadcast", [&] { native_->broadcast(tensors)->wait(); });
}

std::string ProcessGroup::broadcast(std::string text) {
  auto size = torch::full({1}, static_cast<int64_t>(text.size()), torch::kLong);
  broadcast(size);
  auto bytes = torch::empty({size.item<int64_t>()}, torch::kByte);
  if (is_root()) std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  if (bytes.numel() > 0) broadcast(bytes);
  const auto* begin = bytes.data_ptr<uint8_t>();
  return {begin, begin + bytes.numel()};
}

// A rank that exits closes its connections, and what another has not read yet may be lost with
// them: that one would report a lost rank in place of the difference.
static void meet_before_end(c10d::Store& store, const LaunchEnv& env, const std::string& what) {
  constexpr std::chrono::milliseconds kLongest{10'000};
  const auto key = [&](int rank) { return str("end/", what, "/", rank); };
  std::vector<std::string> all;
  for (int rank = 0; rank < env.world; ++rank) all.push_back(key(rank));
  try {
    store.set(key(env.rank), "here");
    store.wait(all, kLongest);
  } catch (const std::exception&) {
    // Rank 0, which may hold the store, has left already, or a rank is lost. Either way, what there
    // is to report is the difference.
  }
}

void ProcessGroup::require_equal(const std::string& what, const std::string& text,
                                 const std::string& hint) {
  const auto expected = broadcast(text);
  auto different = torch::full({1}, text == expected ? 0 : 1, torch::kLong);
  sum(different);
  if (different.item<int64_t>() == 0) return;
  meet_before_end(*store_, env_, what);
  WF_CHECK(text != expected, "rank ", env_.rank, ": another rank differs from rank 0 in its ", what,
           " and reports the difference; ", hint);
  const auto [own, root] = first_difference(text, expected);
  throw Error(str("rank ", env_.rank, " differs from rank 0 in its ", what, ": ", own,
                  ", rank 0 has ", root, "; ", hint));
}

void ProcessGroup::barrier() {
  auto nothing = torch::zeros({1});
  sum(nothing);
}

void ProcessGroup::on_root(const std::string& what, const std::function<void()>& work) {
  if (env_.world == 1 || simulated()) return work();
  const std::string key = str("root/", root_works_++);
  if (!is_root()) {
    guarded("waiting for rank 0's " + what, [&] { wait_for_root(what, key); });
    return barrier();
  }
  std::string outcome = "failed";
  const auto finish = [&] { store_->set(key + "/done", outcome); };
  try {
    beat_while(key + "/heartbeat", work);
    outcome = "ok";
  } catch (...) {
    try {
      finish();
    } catch (const c10::Error&) {  // other ranks notice the missing heartbeat
    }
    throw;
  }
  guarded("reporting that " + what + " is done", finish);
  barrier();  // rank 0 may serve the store and must not exit before all ranks know
}

void ProcessGroup::beat_while(const std::string& key, const std::function<void()>& work) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread heart([&] {
    const auto pause = std::min<milliseconds>(timeout_ / 10, milliseconds(1000));
    std::unique_lock lock(mutex);
    try {
      for (int64_t heartbeat = 0; !done; ++heartbeat) {
        lock.unlock();
        store_->set(key, std::to_string(heartbeat));
        lock.lock();
        changed.wait_for(lock, pause, [&] { return done; });
      }
    } catch (const c10::Error&) {  // the store is gone, and the waiting ranks with it
    }
  });
  const auto stop = [&] {
    {
      const std::lock_guard lock(mutex);
      done = true;
    }
    changed.notify_all();
    heart.join();
  };
  try {
    work();
  } catch (...) {
    stop();
    throw;
  }
  stop();
}

void ProcessGroup::wait_for_root(const std::string& what, const std::string& key) {
  std::string last;
  auto heard = Clock::now();
  for (milliseconds pause(1); !store_->check({key + "/done"});
       pause = std::min(2 * pause, milliseconds(200))) {
    std::this_thread::sleep_for(std::min(pause, timeout_ / 10));
    const auto now = Clock::now();
    const auto heartbeat =
        store_->check({key + "/heartbeat"}) ? store_->get_to_str(key + "/heartbeat") : "";
    if (heartbeat != last) heard = now;
    last = heartbeat;
    if (now - heard < timeout_) continue;
    throw_peer_lost(fmt::format("rank 0 sent no heartbeat for {:.1f} s during its {}",
                                seconds(now - heard), what));
  }
  if (store_->get_to_str(key + "/done") == "ok") return;
  throw_peer_lost("rank 0 failed during its " + what);
}

}  // namespace wf
