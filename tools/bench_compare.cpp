// wf_bench --save and --compare: rounds of this program, in turn with those of another build.

#include "weightformer/core/check.h"

#include "bench_rounds.h"

#include <unistd.h>

#include <fstream>
#include <iostream>

namespace wf {
namespace {

using Words = std::vector<std::string>;

// The command line without the flags of this file, each of which has a value.
Words measured_flags(const Words& words) {
  Words out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--save" || words[i] == "--compare" || words[i] == "--rounds") {
      ++i;
    } else {
      out.push_back(words[i]);
    }
  }
  return out;
}

bool is_program(const std::string& path) {
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot open");
  return in.peek() != '{' && ::access(path.c_str(), X_OK) == 0;
}

void tell_round(int64_t round, int64_t rounds) {
  if (::isatty(STDERR_FILENO)) std::cerr << "round " << round << " of " << rounds << std::endl;
}

// How the numbers of `saved` were obtained, where that matters for the comparison.
void print_record(const SavedBench& saved, const SavedBench& own) {
  std::cout << "before: recorded " << saved.when
            << ", not in turn: the machine may have been faster "
            << "or slower then; --compare PROGRAM of the other build measures in turn\n";
  if (saved.processor != own.processor || saved.processors != own.processors) {
    std::cout << "before: on another machine, " << saved.processors << " x " << saved.processor
              << "\n";
  }
  if (saved.torch != own.torch) std::cout << "before: with LibTorch " << saved.torch << "\n";
}

}  // namespace

void bench_rounds(const BenchOptions& options, const Words& words) {
  WF_CHECK(options.rounds > 0, "--rounds: at least 1");
  auto own = describe_bench(measured_flags(words));
  SavedBench before;
  std::string other;  // the program that runs in turn
  if (!options.compare.empty()) {
    if (is_program(options.compare)) {
      other = options.compare;
    } else {
      before = read_bench(options.compare);
      WF_CHECK(own.flags.empty() || own.flags == before.flags, options.compare,
               ": was measured with other flags; they are taken from the file, give none");
      own.flags = before.flags;
      if (other_build_is_there(before)) other = before.program;
    }
  }
  Figures theirs;
  for (int64_t round = 1; round <= options.rounds; ++round) {
    tell_round(round, options.rounds);
    // Whoever is second finds the machine as the first has left it, so they alternate.
    const bool first = round % 2 == 0;
    if (first) add_round(own.program, own.flags, own.figures);
    if (!other.empty()) add_round(other, own.flags, theirs);
    if (!first) add_round(own.program, own.flags, own.figures);
  }
  if (!options.save.empty()) write_bench(own, options.save);
  if (options.compare.empty()) return print_figures(own.figures);
  if (other.empty()) {
    print_record(before, own);
    return print_comparison(before.figures, own.figures, Pairing::none);
  }
  std::cout << "before: " << other << ", in turn\n";
  print_comparison(theirs, own.figures, Pairing::in_turn);
}

}  // namespace wf
