// Repeated runs of wf_bench, for --save and --compare.
#pragma once

#include "bench.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace wf {

/// A number that wf_bench prints, of each round.
struct Figure {
  std::string what;  ///< the settings in its line, such as model and batch: JSON
  std::string name;  ///< such as "images_per_s_median"
  std::vector<double> rounds;
};

using Figures = std::vector<Figure>;

/// Runs `program` with `flags` and adds the figures of the lines that it prints to `figures`.
/// Throws wf::Error when it fails or prints none.
void add_round(const std::string& program, const std::vector<std::string>& flags, Figures& figures);

/// The files that make up a build of wf_bench: itself and this project's libraries.
struct BuildFile {
  std::string path;
  uint64_t size = 0;
  int64_t modified = 0;  ///< nanoseconds since 1970
};

/// What --save writes: how something was measured, and all figures of all rounds.
struct SavedBench {
  std::string program;  ///< path of that wf_bench
  std::vector<BuildFile> build;
  std::vector<std::string> flags;
  std::string version, torch, processor, when;
  int64_t processors = 0;
  Figures figures;
};

/// This program on this machine, measured with `flags`, without figures.
SavedBench describe_bench(const std::vector<std::string>& flags);

/// Whether the files of that build are there and unchanged, and not those of this program.
bool other_build_is_there(const SavedBench& saved);

void write_bench(const SavedBench& bench, const std::string& path);
/// Throws wf::Error in one line when `path` is not what write_bench() writes.
SavedBench read_bench(const std::string& path);

/// Median and range of each figure, on standard output.
void print_figures(const Figures& figures);

/// Whether round i of the one side ran just before or after round i of the other.
enum class Pairing { in_turn, none };

/// The figures that both sides have, their ratio and what it means, on standard output. Throws
/// wf::Error when they have none in common.
void print_comparison(const Figures& before, const Figures& now, Pairing pairing);

/// --save and --compare; `words` is the command line.
void bench_rounds(const BenchOptions& options, const std::vector<std::string>& words);

}  // namespace wf
