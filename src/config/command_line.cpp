#include "config/command_line.h"

#include "weightformer/core/check.h"

#include "config/key_search.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/parse_error.h"
#include "core/text.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace wf {
namespace {

// A flag and the key that it sets; the help text is that of the key.
struct KeyFlag {
  const char* flag;
  const char* key;
};
constexpr KeyFlag kKeyFlags[] = {
    {"--batch-size", "DATA.BATCH_SIZE"},
    {"--data-path", "DATA.DATA_PATH"},
    {"--cache-mode", "DATA.CACHE_MODE"},
    {"--resume", "MODEL.RESUME"},
    {"--pretrained", "MODEL.PRETRAINED"},
    {"--output", "OUTPUT"},
    {"--tag", "TAG"},
    {"--device", "DEVICE"},
};
// Flags without a value, each of which sets a key to true.
constexpr KeyFlag kSwitches[] = {
    {"--zip", "DATA.ZIP_MODE"}, {"--use-checkpoint", "TRAIN.USE_CHECKPOINT"},
    {"--amp", "AMP"},           {"--allow-missing", "MODEL.ALLOW_MISSING"},
    {"--eval", "EVAL_MODE"},    {"--throughput", "THROUGHPUT_MODE"},
};

// CLI11 would split [0.9,0.95] into two values. A leading blank prevents it, and is removed again
// from the parsed values.
bool in_brackets(const std::string& word) {
  const auto begin = word.find_first_not_of(' ');
  return begin != std::string::npos && word[begin] == '[' && word.back() == ']';
}

void remove_blank(std::string& word) {
  if (in_brackets(word) && word.front() == ' ') word.erase(0, 1);
}

std::vector<std::string> words_for_cli11(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  for (auto& word : words) {
    if (in_brackets(word)) word.insert(0, " ");
  }
  // CLI11 would also take the next flag as a missing value.
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const auto is = [&](const auto& item) { return words[i] == item.flag; };
    WF_CHECK(std::none_of(std::begin(kKeyFlags), std::end(kKeyFlags), is) ||
                 !starts_with(words[i + 1], "--"),
             words[i], " needs a value, and ", words[i + 1], " comes next");
  }
  std::reverse(words.begin(), words.end());  // CLI11 expects a vector in reverse
  return words;
}

// The first of kKeyFlags takes a number or a word.
bool is_auto_batch(const KeyFlag& flag, const std::string& value) {
  return std::string(flag.key) == "DATA.BATCH_SIZE" && value == "auto";
}

std::string help_of(const KeyFlag& flag) {
  const auto help = key_help(flag.key);
  if (std::string(flag.key) != "DATA.BATCH_SIZE") return help;
  return help + "; auto: the largest that fits in memory, with as many samples in a step";
}

void add_dry_run(CLI::App& app, CommandLine& out) {
  app.add_flag("--dry-run", out.dry_run,
               "check configuration and data, train one step, report memory and learning rates, "
               "and write no file");
  app.add_option("--world", out.world,
                 "with --dry-run: as one of so many processes, which need not exist; reports the "
                 "bytes that they would exchange")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--rank", out.rank, "with --world: which of them, from 0 (0)")
      ->check(CLI::Range(0, (1 << 20) - 1));
}

void check_dry_run(const CLI::App& app, const CommandLine& out) {
  const bool simulated = out.world > 0;
  WF_CHECK(out.dry_run || !simulated, "--world ", out.world,
           ": is for --dry-run; to train in several processes start them with torchrun");
  WF_CHECK(simulated || app.get_option("--rank")->count() == 0, "--rank ", out.rank,
           ": is for --dry-run --world N");
  WF_CHECK(!simulated || out.rank < out.world, "--rank ", out.rank, " is not below --world ",
           out.world);
  const auto& config = out.config;
  const bool trains = !config.eval_mode && !config.throughput_mode;
  WF_CHECK(trains || !out.dry_run, "--dry-run is for training: leave out --eval and --throughput");
  WF_CHECK(trains || !out.auto_batch_size,
           "--batch-size auto is for training: give --eval and --throughput a number");
}

}  // namespace

CommandLine parse_train_arguments(int argc, const char* const* argv) {
  CLI::App app("Trains, evaluates or times a WeightFormer: a classifier or an image generator.",
               "wf_train");
  std::string cfg, ignored;
  std::vector<std::string> opts, values(std::size(kKeyFlags));
  bool print_config = false, list_models = false;
  CommandLine out;
  app.add_option("--cfg", cfg,
                 "YAML configuration file; --eval can take the model from the checkpoint instead");
  app.add_option("--opts", opts, "KEY VALUE …: override keys of the file");
  std::vector<CLI::Option*> flags, switches;
  for (size_t i = 0; i < std::size(kKeyFlags); ++i) {
    flags.push_back(app.add_option(kKeyFlags[i].flag, values[i], help_of(kKeyFlags[i])));
    flags.back()->take_last();  // the last value wins, as in argparse
  }
  for (const auto& item : kSwitches) {
    const std::string help =
        key_help(item.key);  // a temporary would select another overload of CLI11
    switches.push_back(app.add_flag(item.flag, help));
  }
  app.set_version_flag("--version", "", "print the version and exit");
  app.add_flag("--print-config", print_config, "print the effective configuration and exit");
  app.add_flag("--list-models", list_models, "print the names that MODEL.NAME takes and exit");
  add_dry_run(app, out);
  app.add_option("--local_rank,--local-rank", ignored,
                 "accepted and ignored: each process has it from torchrun's environment");
  app.add_flag("--find-unused-params", "accepted and ignored: every parameter is used");

  try {
    app.parse(words_for_cli11(argc, argv));
  } catch (const CLI::CallForHelp&) {
    out.help = app.help();
    return out;
  } catch (const CLI::CallForVersion&) {
    throw;  // handled by the programs
  } catch (const CLI::ParseError& problem) {
    throw Error(explain(problem, app, {argv + 1, argv + argc}, key_of_flag));
  }
  out.list_models = list_models;
  if (list_models) return out;
  for (auto* given : {&opts, &values}) {
    for (auto& word : *given) remove_blank(word);
  }
  out.config = load_config(cfg, opts);
  const auto given = [&](const char* flag) { return app.get_option(flag)->count() > 0; };
  WF_CHECK(!cfg.empty() || given("--eval"),
           "--cfg is required (but for --eval with --resume); --help lists the flags");
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]->count() && !is_auto_batch(kKeyFlags[i], values[i]))
      set_key(out.config, kKeyFlags[i].key, values[i], kKeyFlags[i].flag);
  }
  for (size_t i = 0; i < switches.size(); ++i) {
    if (switches[i]->count()) set_key(out.config, kSwitches[i].key, "true", kSwitches[i].flag);
  }
  out.auto_batch_size = is_auto_batch(kKeyFlags[0], values[0]);
  out.print_config = print_config;
  validate(out.config);
  check_dry_run(app, out);
  return out;
}

}  // namespace wf
