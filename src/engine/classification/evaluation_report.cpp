#include "engine/classification/evaluation_report.h"

#include "weightformer/core/check.h"

#include "core/atomic_file.h"

#include <sstream>

namespace wf {
namespace {

// A field of a CSV file (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace

void write_evaluation(const std::string& directory, const Evaluation& evaluation,
                      const std::vector<std::string>& classes) {
  WF_CHECK(evaluation.confusion.defined(), "write_evaluation: no confusion table was requested");
  const auto count = static_cast<size_t>(evaluation.confusion.size(0));
  const auto cells = evaluation.confusion.contiguous();
  const auto name = [&](size_t i) {
    return i < classes.size() ? field(classes[i]) : "class " + std::to_string(i);
  };
  std::ostringstream table, list;
  table << "true \\ predicted";
  for (size_t i = 0; i < count; ++i) table << ',' << name(i);
  table << '\n';
  list << "class,pictures,right,top-1 percent,most frequent mistake,times\n";
  for (size_t i = 0; i < count; ++i) {
    const int64_t* row = cells.data_ptr<int64_t>() + i * count;
    int64_t all = 0;
    size_t worst = i == 0 && count > 1 ? 1 : 0;
    table << name(i);
    for (size_t j = 0; j < count; ++j) {
      table << ',' << row[j];
      all += row[j];
      if (j != i && row[j] > row[worst]) worst = j;
    }
    table << '\n';
    list << name(i) << ',' << all << ',' << row[i] << ',';
    if (all > 0) list << 100.0 * static_cast<double>(row[i]) / static_cast<double>(all);
    const bool mistaken = worst != i && row[worst] > 0;
    list << ',' << (mistaken ? name(worst) : "") << ',' << (mistaken ? row[worst] : 0) << '\n';
  }
  write_text_file(directory + "/confusion.csv", table.str());
  write_text_file(directory + "/classes.csv", list.str());
}

}  // namespace wf
