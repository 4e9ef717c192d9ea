#include "engine/summary_observer.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"
#include "core/text.h"
#include "runtime/log.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace wf {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  return fields;
}

// timm's name of a metric.
std::string timm_name(const std::string& name) {
  return starts_with(name, "acc") ? "top" + name.substr(3) : name;
}

}  // namespace

void SummaryObserver::on_start(const TrainState& state) {
  columns_ = {"epoch", "train_loss", "lr"};
  rows_.clear();
  std::ifstream in(path_);
  std::string line;
  if (!std::getline(in, line)) return;  // the first start
  const auto names = split(line);
  if (names.empty() || names[0] != "epoch") return;  // of another program, and replaced
  columns_ = names;
  while (std::getline(in, line)) {
    const auto fields = split(line);
    if (fields.empty() || std::atoll(fields[0].c_str()) >= state.progress.epoch) continue;
    auto& row = rows_.emplace_back();
    for (size_t i = 0; i < std::min(fields.size(), names.size()); ++i) row[names[i]] = fields[i];
  }
}

// Counts of samples are not results.
void SummaryObserver::put(Row& row, const std::string& prefix, const Metrics& metrics) {
  for (const auto& metric : metrics) {
    if (metric.spec->count) continue;
    const auto name = prefix + timm_name(metric.spec->name);
    row[name] = fmt::format("{}", metric.value);
    if (std::find(columns_.begin(), columns_.end(), name) != columns_.end()) continue;
    const auto before =
        prefix == "eval_" ? std::find(columns_.begin(), columns_.end(), "lr") : columns_.end();
    columns_.insert(before, name);
  }
}

void SummaryObserver::on_epoch_end(const TrainState&, const EpochReport& report) {
  Row row{{"epoch", fmt::format("{}", report.epoch)},
          {"train_loss", fmt::format("{}", report.train_loss)},
          {"lr", fmt::format("{}", report.lr)}};
  if (report.validation) {
    put(row, "eval_", report.validation->trained);
    const auto& emas = report.validation->ema;
    for (size_t i = 0; i < emas.size(); ++i) {
      put(row, i == 0 ? "eval_ema_" : fmt::format("eval_ema{}_", i + 1), emas[i]);
    }
  }
  // A run that continues in an epoch which a step limit ended writes it again.
  if (!rows_.empty() && rows_.back().at("epoch") == row.at("epoch")) rows_.pop_back();
  rows_.push_back(std::move(row));
  write();
}

void SummaryObserver::write() try {
  std::string text;
  const auto put_line = [&](auto field) {
    for (size_t i = 0; i < columns_.size(); ++i) text += (i > 0 ? "," : "") + field(columns_[i]);
    text += "\n";
  };
  put_line([](const std::string& name) { return name; });
  for (const auto& row : rows_) {
    put_line([&](const std::string& name) {
      const auto found = row.find(name);
      return found == row.end() ? std::string() : found->second;
    });
  }
  write_text_file(path_, text);
} catch (const Error& problem) {
  if (!warned_) log::warning("{}; training continues", problem.what());
  warned_ = true;
}

}  // namespace wf
