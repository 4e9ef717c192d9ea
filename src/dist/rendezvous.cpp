#include "dist/rendezvous.h"

#include "weightformer/core/check.h"

#include "runtime/log.h"

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>

namespace wf {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Whether a server accepts connections there now.
bool answers(const addrinfo& address) {
  const int handle =
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol);
  if (handle < 0) return false;
  if (::connect(handle, address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    ::close(handle);  // no route, for example to an IPv6 address from a machine without
    return false;
  }
  pollfd ready{handle, POLLOUT, 0};
  int problem = ETIMEDOUT;
  socklen_t size = sizeof problem;
  if (::poll(&ready, 1, /*milliseconds=*/1000) == 1) {
    ::getsockopt(handle, SOL_SOCKET, SO_ERROR, &problem, &size);
  }
  ::close(handle);
  return problem == 0;
}

enum class Found { nothing, host, service };

// The remaining time, at most `wanted`.
Found look_for(Found wanted, const LaunchEnv& env) {
  addrinfo* first = nullptr;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const auto port = str(env.master_port);
  if (::getaddrinfo(env.master_addr.c_str(), port.c_str(), &hints, &first) != 0) {
    return Found::nothing;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(first, ::freeaddrinfo);
  for (const auto* at = first; at && wanted == Found::service; at = at->ai_next) {
    if (answers(*at)) return Found::service;
  }
  return Found::host;
}

[[noreturn]] void give_up(Found found, const LaunchEnv& env, milliseconds timeout) {
  if (found == Found::nothing) {
    throw Error(str("MASTER_ADDR=", env.master_addr, ": this host name cannot be resolved here"),
                Error::kPeerLost);
  }
  throw Error(str("rank ", env.rank, " of ", env.world, ": nothing listens at ", env.master_addr,
                  ":", env.master_port, " (MASTER_ADDR, MASTER_PORT) after DIST.TIMEOUT_S, ",
                  std::chrono::duration<double>(timeout).count(),
                  " s: is rank 0 running, and is it reachable from here?"),
              Error::kPeerLost);
}

// The other ranks may start later, and host names may become resolvable only then (Kubernetes).
// LibTorch would wait too, but logs a page about every attempt.
void wait_until(Found wanted, const LaunchEnv& env, milliseconds timeout) {
  constexpr milliseconds kNoticeable(5000);
  const auto begin = Clock::now();
  auto told = wanted;
  for (auto found = look_for(wanted, env); found < wanted; found = look_for(wanted, env)) {
    const auto waited = Clock::now() - begin;
    if (waited > timeout) give_up(found, env, timeout);
    if (found == Found::nothing && told != found) {
      log::warning("waiting until the host name {} (MASTER_ADDR) can be resolved", env.master_addr);
      told = found;
    } else if (found == Found::host && told != found && waited > kNoticeable) {
      log::warning("waiting for a server at {}:{} (MASTER_ADDR, MASTER_PORT)", env.master_addr,
                   env.master_port);
      told = found;
    }
    std::this_thread::sleep_for(
        std::min(timeout / 4, milliseconds(found == Found::nothing ? 1000 : 100)));
  }
}

}  // namespace

c10::intrusive_ptr<c10d::Store> open_store(const LaunchEnv& env, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(env.master_port);
  options.isServer = env.rank == 0 && !env.agent_store;
  options.numWorkers = static_cast<size_t>(env.world);
  options.waitWorkers = false;
  options.timeout = timeout;
  wait_until(options.isServer ? Found::host : Found::service, env, timeout);
  // The store's own timeout does not apply to a service that accepts the connection and does not
  // answer.
  using Store = c10::intrusive_ptr<c10d::Store>;
  std::packaged_task<Store()> open([host = env.master_addr, options]() -> Store {
    return c10::make_intrusive<c10d::TCPStore>(host, options);
  });
  auto store = open.get_future();
  std::thread(std::move(open)).detach();
  constexpr std::chrono::seconds kGrace(2);  // let the store answer first
  if (store.wait_for(timeout + kGrace) != std::future_status::ready) {
    throw std::runtime_error("wrong protocol: it accepts the connection and does not answer");
  }
  return store.get();
}

}  // namespace wf
