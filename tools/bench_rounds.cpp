#include "bench_rounds.h"

#include "weightformer/core/check.h"

#include "bench_verdict.h"

#include <nlohmann/json.hpp>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

extern char** environ;

namespace wf {
namespace {

// The settings that tell the lines of one run apart; other numbers are figures.
bool is_setting(const std::string& key, const nlohmann::json& value) {
  for (const char* name : {"batch", "size", "images", "workers"}) {
    if (key == name) return true;
  }
  return value.is_string();
}

// What `words` print on standard output. Standard error is that of this program.
std::string output_of(std::vector<std::string> words) {
  int ends[2];
  WF_CHECK(::pipe(ends) == 0, "no pipe: ", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int problem =
      ::posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string out;
  char buffer[4096];
  for (ssize_t got; problem == 0 && (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<size_t>(got));
  }
  ::close(ends[0]);
  WF_CHECK(problem == 0, words[0], ": cannot be started: ", std::strerror(problem));
  int status = 0;
  ::waitpid(child, &status, 0);
  WF_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, words[0], ": ended with ",
           WIFEXITED(status) ? "exit code " : "signal ",
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  return out;
}

void add_figure(const std::string& what, const std::string& name, double value, Figures& figures) {
  const auto at = std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) {
    return figure.what == what && figure.name == name;
  });
  (at == figures.end() ? figures.emplace_back(Figure{what, name, {}}) : *at)
      .rounds.push_back(value);
}

}  // namespace

void add_round(const std::string& program, const std::vector<std::string>& flags,
               Figures& figures) {
  std::vector<std::string> words{program};
  words.insert(words.end(), flags.begin(), flags.end());
  std::istringstream lines(output_of(words));
  size_t found = 0;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!line.is_object()) continue;
    auto what = nlohmann::json::object();
    for (const auto& [key, value] : line.items()) {
      if (is_setting(key, value) && key != "who") what[key] = value;
    }
    for (const auto& [key, value] : line.items()) {
      if (!value.is_number() || larger_means(key) == Larger::none) continue;
      add_figure(what.dump(), key, value.get<double>(), figures);
      ++found;
    }
  }
  WF_CHECK(found > 0, program, ": printed no figures");
}

}  // namespace wf
