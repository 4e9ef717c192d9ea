#include "dist/backend.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

// In a file of its own because gloo's headers take 13 s to compile. The headers are Debian's, the
// code is in libtorch_cpu.
#define USE_C10D_GLOO 1
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>
#include <string>

namespace wf {
namespace {

// The address of this machine on the way to `host`, or "". Nothing is sent: connecting a datagram
// socket only asks the kernel for the route. c10d's own choice, the address that the host name
// resolves to, is the loopback interface on many machines, which reaches no other machine.
std::string address_towards(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return "";
  std::string address;
  for (const auto* at = found; at && address.empty(); at = at->ai_next) {
    const int socket = ::socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (socket < 0) continue;
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    char text[NI_MAXHOST];
    if (::connect(socket, at->ai_addr, at->ai_addrlen) == 0 &&
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      address = text;
    }
    ::close(socket);
  }
  ::freeaddrinfo(found);
  return address;
}

}  // namespace

c10::intrusive_ptr<c10d::Backend> make_gloo(const BackendArguments& arguments) {
  using Gloo = c10d::ProcessGroupGloo;
  auto options = Gloo::Options::create(arguments.timeout);
  const char* interfaces = std::getenv("GLOO_SOCKET_IFNAME");
  const auto& master = arguments.env.master_addr;
  const auto address =
      address_towards(master.empty() ? "127.0.0.1" : master, arguments.env.master_port);
  if (interfaces) {
    options->devices.push_back(Gloo::createDeviceForInterface(interfaces));
  } else if (!address.empty()) {
    options->devices.push_back(Gloo::createDeviceForHostname(address));
  } else {
    options->devices.push_back(Gloo::createDefaultDevice());
  }
  return c10::make_intrusive<Gloo>(arguments.store, arguments.env.rank, arguments.env.world,
                                   options);
}

}  // namespace wf
