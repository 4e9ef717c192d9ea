// The file of wf_bench --save.

#include "weightformer/core/check.h"

#include "bench_rounds.h"
#include "bench_verdict.h"
#include "core/atomic_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

namespace wf {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBenchFormat = "wf_bench 1";

Json as_json(const SavedBench& bench) {
  Json out{{"format", kBenchFormat},
           {"when", bench.when},
           {"program", bench.program},
           {"version", bench.version},
           {"torch", bench.torch},
           {"machine", {{"processor", bench.processor}, {"processors", bench.processors}}},
           {"flags", bench.flags},
           {"build", Json::array()},
           {"figures", Json::array()}};
  for (const auto& file : bench.build) {
    out["build"].push_back({{"path", file.path}, {"size", file.size}, {"modified", file.modified}});
  }
  for (const auto& figure : bench.figures) {
    auto sorted = figure.rounds;
    std::sort(sorted.begin(), sorted.end());
    out["figures"].push_back({{"what", Json::parse(figure.what)},
                              {"name", figure.name},
                              {"lowest", sorted.front()},
                              {"median", median_of(sorted)},
                              {"highest", sorted.back()},
                              {"rounds", figure.rounds}});
  }
  return out;
}

SavedBench from_json(const Json& json) {
  WF_CHECK(json.at("format") == kBenchFormat, "another format");
  SavedBench out;
  out.when = json.at("when");
  out.program = json.at("program");
  out.version = json.at("version");
  out.torch = json.at("torch");
  out.processor = json.at("machine").at("processor");
  out.processors = json.at("machine").at("processors");
  out.flags = json.at("flags").get<std::vector<std::string>>();
  for (const auto& file : json.at("build")) {
    out.build.push_back({file.at("path"), file.at("size"), file.at("modified")});
  }
  for (const auto& figure : json.at("figures")) {
    out.figures.push_back({nlohmann::json(figure.at("what")).dump(), figure.at("name"),
                           figure.at("rounds").get<std::vector<double>>()});
    WF_CHECK(!out.figures.back().rounds.empty(), "a figure without rounds");
  }
  return out;
}

}  // namespace

void write_bench(const SavedBench& bench, const std::string& path) {
  write_text_file(path, as_json(bench).dump(1) + "\n");
}

SavedBench read_bench(const std::string& path) {
  std::ifstream in(path);
  WF_CHECK(in, path, ": cannot open");
  try {
    return from_json(Json::parse(in));
  } catch (const std::exception&) {
    throw Error(str(path, ": neither a program nor a file of wf_bench --save"));
  }
}

}  // namespace wf
