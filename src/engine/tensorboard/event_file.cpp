#include "engine/tensorboard/event_file.h"

#include "core/little_endian.h"
#include "runtime/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace wf {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "events.out.tfevents.";
constexpr size_t kHead = 12, kTail = 4;  // bytes before and after an event

std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0x82F63B78u : 0);
    table[i] = value;
  }
  return table;
}

// `bytes` and their checksum.
std::string checked(std::string bytes) {
  append_number(bytes, masked_crc32c(bytes));
  return bytes;
}

}  // namespace

uint32_t masked_crc32c(const std::string& bytes) {
  static const auto table = crc_table();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

EventFile::~EventFile() {
  if (file_ >= 0) ::close(file_);
}

bool EventFile::open() {
  if (file_ >= 0) return true;
  std::error_code problem;
  fs::create_directories(fs::path(path_).parent_path(), problem);
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  return file_ >= 0;
}

bool EventFile::append(const std::string& record) {
  for (size_t done = 0; done < record.size();) {
    const auto wrote = ::write(file_, record.data() + done, record.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return true;
}

void EventFile::write(const std::string& event) {
  std::string size;
  append_number(size, static_cast<uint64_t>(event.size()));
  const auto record = checked(size) + checked(event);
  if (open() && append(record)) {
    size_ += static_cast<int64_t>(record.size());
    return;
  }
  const std::string problem = std::strerror(errno);
  // Without this the events that follow a partial record could not be read.
  if (file_ >= 0 && ::ftruncate(file_, size_) != 0) errno = 0;
  if (warned_) return;
  warned_ = true;
  log::warning("{}: {}; training continues, and events for TensorBoard are missing", path_,
               problem);
}

std::vector<std::string> read_event_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::string> events;
  for (size_t at = 0; bytes.size() - at >= kHead + kTail;) {
    const auto head = bytes.substr(at, kHead);
    if (checked(head.substr(0, 8)) != head) break;
    const auto size = load_number<uint64_t>(head, 0);
    if (size > bytes.size() - at - kHead - kTail) break;
    auto event = bytes.substr(at + kHead, size);
    if (checked(event) != bytes.substr(at + kHead, size + kTail)) break;
    events.push_back(std::move(event));
    at += kHead + size + kTail;
  }
  return events;
}

std::vector<std::string> event_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code none_there;
  for (const auto& entry : fs::directory_iterator(directory, none_there)) {
    const auto name = entry.path().filename().string();
    if (name.rfind(kPrefix, 0) == 0) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string next_event_file(const std::string& directory, int64_t seconds) {
  for (const auto& path : event_files(directory)) {
    const auto name = fs::path(path).filename().string();
    seconds = std::max<int64_t>(seconds, std::atoll(name.c_str() + sizeof(kPrefix) - 1) + 1);
  }
  char host[256] = "host";
  if (::gethostname(host, sizeof(host) - 1) != 0) std::strcpy(host, "host");
  return fmt::format("{}/{}{:010}.{}.{}", directory, kPrefix, seconds, host, ::getpid());
}

}  // namespace wf
