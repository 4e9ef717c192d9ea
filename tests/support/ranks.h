// Several processes of one run, started as torchrun would but in a tenth of the time.
#pragma once

#include "support/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

namespace wf::testing {

/// A free port.
inline int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

/// `command` in `world` processes with torchrun's variables.
class Ranks {
 public:
  Ranks(int world, const std::vector<std::string>& command) {
    const auto port = std::to_string(free_port());
    for (int rank = 0; rank < world; ++rank) {
      std::vector<std::string> words{"env",
                                     "RANK=" + std::to_string(rank),
                                     "WORLD_SIZE=" + std::to_string(world),
                                     "LOCAL_RANK=" + std::to_string(rank),
                                     "MASTER_ADDR=127.0.0.1",
                                     "MASTER_PORT=" + port,
                                     "OMP_NUM_THREADS=1"};
      words.insert(words.end(), command.begin(), command.end());
      all_.push_back(std::make_unique<Process>(words));
    }
  }

  Process& operator[](int rank) { return *all_[rank]; }
  std::vector<Finished> wait() {
    std::vector<Finished> out;
    for (auto& process : all_) out.push_back(process->wait());
    return out;
  }

 private:
  std::vector<std::unique_ptr<Process>> all_;
};

/// The exit codes and outputs, for the message of an expectation.
inline std::string told(const std::vector<Finished>& ranks) {
  std::string out;
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    out += "--- rank " + std::to_string(rank) + ", exit code " + std::to_string(ranks[rank].code) +
           "\n" + ranks[rank].err;
  }
  return out;
}

/// Command words that start torchrun, or nothing where Python has no torch.
inline std::vector<std::string> torchrun(int processes, const std::vector<std::string>& more = {}) {
  static const bool there = run({WF_PYTHON, "-c", "import torch.distributed.run"}).code == 0;
  if (!there) return {};
  std::vector<std::string> words{WF_PYTHON,
                                 "-m",
                                 "torch.distributed.run",
                                 "--no-python",
                                 "--nproc_per_node=" + std::to_string(processes),
                                 "--rdzv-backend=c10d",
                                 "--rdzv-endpoint=localhost:0"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace wf::testing
