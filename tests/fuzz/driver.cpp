// Feeds a target with mutated copies of files: DRIVER [--runs N] [--seed S] FILE|DIRECTORY…
// A compiler with libFuzzer searches better; this driver works everywhere and is reproducible.
//
// An input has a budget of processor time and of memory. One that exceeds it is a finding, as a
// crash is: it is written to the temporary directory and the program aborts.

#include "weightformer/core/random.h"

#include "fuzz.h"

#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

// Of the sanitizers; GCC has no header for them.
extern "C" {
size_t __sanitizer_get_current_allocated_bytes();
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*, size_t),
                                              void (*on_free)(const volatile void*));
}

namespace {

using wf::CounterRng;
namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes(fs::file_size(path), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// For each byte of an input, besides fuzz_megabytes: a reader may keep a value of 150 bytes for a
// byte of pickle. The sanitizers make everything several times slower.
constexpr size_t kBytesPerByte = 2000;
constexpr int kSeconds = 20;

std::string_view current;        // the input
size_t memory_limit = SIZE_MAX;  // bytes in use that are too many

[[noreturn]] void exceeded(const char* what) {
  memory_limit = SIZE_MAX;
  const auto file = "wf_fuzz_finding_" + std::to_string(::getpid());
  const auto path = fs::temp_directory_path() / file;
  std::ofstream(path, std::ios::binary).write(current.data(), static_cast<long>(current.size()));
  std::fprintf(stderr, "error: an input of %zu bytes exceeds its budget of %s: %s\n",
               current.size(), what, path.c_str());
  std::abort();
}

// Asked for after each MiB only: the sanitizer adds up the counters of all threads to answer.
void count_memory(const volatile void*, size_t size) {
  static std::atomic<size_t> unseen{0};
  if ((unseen += size) < (size_t{1} << 20)) return;
  unseen = 0;
  if (__sanitizer_get_current_allocated_bytes() > memory_limit) exceeded("memory");
}

void end_of_time(int) { exceeded("time"); }

// Counts the time that the process computes, as other processes may have the processor.
void set_timer(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

void try_input(const std::string& bytes) {
  current = bytes;
  memory_limit = __sanitizer_get_current_allocated_bytes() + (fuzz_megabytes << 20) +
                 kBytesPerByte * bytes.size();
  set_timer(kSeconds);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  set_timer(0);
  memory_limit = SIZE_MAX;
}

uint64_t telling_number(CounterRng& rng) {
  constexpr uint64_t kNumbers[] = {0,
                                   1,
                                   0x7F,
                                   0x80,
                                   0xFF,
                                   0x7FFF,
                                   0xFFFF,
                                   0x7FFFFFFF,
                                   0x80000000,
                                   0xFFFFFFFF,
                                   0x7FFFFFFFFFFFFFFF,
                                   0x8000000000000000,
                                   0xFFFFFFFFFFFFFFFF};
  return kNumbers[rng.below(std::size(kNumbers))];
}

void bend(std::string& bytes, const std::string& other, CounterRng& rng) {
  if (bytes.empty()) bytes = "\x80";
  const auto size = static_cast<int64_t>(bytes.size());
  const auto at = static_cast<size_t>(rng.below(size));
  const auto length = static_cast<size_t>(rng.below(64)) + 1;
  switch (rng.below(8)) {
    case 0:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
      return;
    case 1:
      bytes[at] = static_cast<char>(rng.next());
      return;
    case 2:
      bytes.resize(at);
      return;
    case 3:
      bytes.erase(at, length);
      return;
    case 4:
      bytes.insert(at, bytes.substr(static_cast<size_t>(rng.below(size)), length));
      return;
    case 5: {
      const auto from = static_cast<size_t>(rng.below(static_cast<int64_t>(other.size()) + 1));
      bytes.replace(at, length, other.substr(from, length));
      return;
    }
    case 6: {
      const uint64_t number = telling_number(rng);
      const size_t width = size_t{1} << rng.below(4);
      for (size_t i = 0; i < width && at + i < bytes.size(); ++i) {
        bytes[at + i] = static_cast<char>(number >> (8 * i));
      }
      return;
    }
    default: {  // pickles are made of few opcodes
      constexpr char kOpcodes[] =
          "()]}.0123NKMJXGabceghijloqrstuQRV\x80\x81\x85\x86\x87\x88\x8a\x93\x94";
      bytes.insert(at, 1, kOpcodes[rng.below(std::size(kOpcodes) - 1)]);
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 10'000, seed = 1;
  std::vector<fs::path> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--runs" && i + 1 < argc) {
      runs = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (fs::is_directory(word)) {
      for (const auto& entry : fs::directory_iterator(word)) paths.push_back(entry.path());
    } else {
      paths.emplace_back(word);
    }
  }
  __sanitizer_install_malloc_and_free_hooks(count_memory, [](const volatile void*) {});
  std::signal(SIGPROF, end_of_time);
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    const auto file = read_file(path);
    // The unmodified file is an input too.
    try_input(file);
    auto part = fuzz_seed(file);
    if (!part.empty()) seeds.push_back(std::move(part));
  }
  if (seeds.empty()) return std::fprintf(stderr, "error: no file is a seed\n"), 2;
  for (uint64_t run = 0; run < runs; ++run) {
    CounterRng rng{seed, run};
    const auto pick = [&]() -> const std::string& {
      return seeds[static_cast<size_t>(rng.below(seeds.size()))];
    };
    auto bytes = pick();
    const auto& other = pick();
    for (int64_t count = 1 + rng.below(8); count > 0; --count) bend(bytes, other, rng);
    try_input(bytes);
  }
  std::printf("%zu seeds, %llu runs\n", seeds.size(), static_cast<unsigned long long>(runs));
  return 0;
}
