#include "data/image/decode.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace wf {
namespace {

constexpr int64_t kLargestFile = int64_t{1} << 30;  // no image has more bytes; as in archives

struct Descriptor {
  // Not blocking, so that a pipe by that name is told and not waited for.
  explicit Descriptor(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int number;
};

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw UnreadableImage(str(path, ": cannot read: ", why));
}

[[noreturn]] void fail_to_open(const std::string& path, int code) {
  // The fault of the process or of the machine: other images would fail just so.
  WF_CHECK(code != EMFILE && code != ENFILE, path, ": cannot open: ", std::strerror(code),
           "; raise the limit (ulimit -n), or use fewer workers (DATA.NUM_WORKERS)");
  if (code == ENXIO) fail(path, "not a regular file");  // a socket
  fail(path, std::strerror(code));
}

}  // namespace

Encoded read_file(const std::string& path) {
  const Descriptor file(path);
  if (file.number < 0) fail_to_open(path, errno);
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail(path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail(path, "not a regular file");
  if (status.st_size > kLargestFile) {
    fail(path, str(status.st_size, " bytes, the limit for an image is ", kLargestFile,
                   "; store it smaller, or remove it"));
  }
  const auto size = static_cast<size_t>(status.st_size);
  const std::shared_ptr<char> bytes(new char[size + 1], std::default_delete<char[]>());
  size_t have = 0;
  while (have < size) {
    const auto count = ::read(file.number, bytes.get() + have, size - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, std::strerror(errno));
    if (count == 0) break;
    have += static_cast<size_t>(count);
  }
  return {{bytes.get(), have}, bytes};
}

}  // namespace wf
