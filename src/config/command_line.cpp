#include "config/command_line.h"

#include "weightformer/core/check.h"

#include "config/load.h"
#include "config/parse_error.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace wf {
namespace {

// A flag with a value that sets one key.
struct KeyFlag {
  const char* flag;
  const char* key;
  const char* help;
};
constexpr KeyFlag kKeyFlags[] = {
    {"--batch-size", "DATA.BATCH_SIZE", "pictures a step, per process"},
    {"--data-path", "DATA.DATA_PATH", "folder with train/CLASS/* and val/CLASS/*"},
    {"--cache-mode", "DATA.CACHE_MODE", "no, full or part"},
    {"--resume", "MODEL.RESUME", "checkpoint to go on from, or to evaluate"},
    {"--pretrained", "MODEL.PRETRAINED", "weights to start from"},
    {"--output", "OUTPUT", "runs go to OUTPUT/NAME/TAG"},
    {"--tag", "TAG", "name of the run"},
    {"--device", "DEVICE", "auto, cpu or cuda"},
};
// One without a value, which switches a key on.
constexpr KeyFlag kSwitches[] = {
    {"--zip", "DATA.ZIP_MODE", "read train.zip and val.zip"},
    {"--use-checkpoint", "TRAIN.USE_CHECKPOINT", "recompute blocks to save memory"},
    {"--amp", "AMP", "mixed precision"},
    {"--allow-missing", "MODEL.ALLOW_MISSING", "accept weights that do not fill the model"},
    {"--eval", "EVAL_MODE", "evaluate and end"},
    {"--throughput", "THROUGHPUT_MODE", "time the model and end"},
};

}  // namespace

CommandLine parse_train_arguments(int argc, const char* const* argv) {
  CLI::App app("Trains, evaluates or times a WeightFormer classifier.", "wf_train");
  std::string cfg, ignored;
  std::vector<std::string> opts, values(std::size(kKeyFlags));
  bool print_config = false;
  app.add_option("--cfg", cfg, "configuration file, YAML")->required();
  app.add_option("--opts", opts, "KEY VALUE … over the file");
  std::vector<CLI::Option*> flags, switches;
  for (size_t i = 0; i < std::size(kKeyFlags); ++i) {
    flags.push_back(app.add_option(kKeyFlags[i].flag, values[i], kKeyFlags[i].help));
    flags.back()->take_last();  // a script's "$@" may give one again, as with argparse
  }
  for (const auto& item : kSwitches) switches.push_back(app.add_flag(item.flag, item.help));
  app.add_flag("--print-config", print_config, "print the effective configuration and end");
  app.add_option("--local_rank,--local-rank", ignored, "ignored, as torchrun's variables tell");
  app.add_flag("--find-unused-params", "ignored: every parameter is used");

  // CLI11 takes [0.9,0.95] for two values; a blank before it is nothing in YAML.
  std::vector<std::string> words(argv + 1, argv + argc);
  for (auto& word : words) {
    if (!word.empty() && word.front() == '[' && word.back() == ']') word.insert(0, " ");
  }
  // It would also take the next flag for the value of one that has none.
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const auto is = [&](const auto& item) { return words[i] == item.flag; };
    WF_CHECK(std::none_of(std::begin(kKeyFlags), std::end(kKeyFlags), is) ||
                 words[i + 1].rfind("--", 0) != 0,
             words[i], " needs a value, and ", words[i + 1], " comes next");
  }
  std::reverse(words.begin(), words.end());  // which CLI11 wants of a vector

  CommandLine out;
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    out.help = app.help();
    return out;
  } catch (const CLI::ParseError& problem) {
    throw Error(explain(problem, app, {argv + 1, argv + argc}));
  }
  out.config = load_config(cfg, opts);
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i]->count()) set_key(out.config, kKeyFlags[i].key, values[i], kKeyFlags[i].flag);
  }
  for (size_t i = 0; i < switches.size(); ++i) {
    if (switches[i]->count()) set_key(out.config, kSwitches[i].key, "true", kSwitches[i].flag);
  }
  out.print_config = print_config;
  validate(out.config);
  return out;
}

}  // namespace wf
