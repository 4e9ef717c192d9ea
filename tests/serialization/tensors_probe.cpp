// tensors_probe LIST REPORT: reads the files of tensors that LIST names, one a line. Of each it
// writes a line of JSON to REPORT: {"error": MESSAGE} or {"tensors": {PATH: [DTYPE, SIZES, CRC]}}.

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "serialization/tensor_file.h"

#include <nlohmann/json.hpp>
#include <torch/types.h>

#include <fstream>

namespace {

using namespace wf;
using nlohmann::json;
using pickle::Kind;

json described(const at::Tensor& tensor) {
  const auto plain = tensor.contiguous();
  const std::string_view bytes(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
  return {pickle::name_of(file_dtype(plain.scalar_type())), plain.sizes().vec(), checksum(bytes)};
}

// Values that are shared count each time, up to a limit that no file of the test reaches.
class Walk {
 public:
  explicit Walk(TensorFile& file) : file_(file) { visit(file.root(), ""); }
  json tensors = json::object();

 private:
  void visit(const pickle::Value& value, const std::string& path) {
    constexpr int kMost = 10'000;
    if (++visited_ > kMost) return;
    if (value.is(Kind::tensor)) {
      tensors[path] = described(file_.tensor(value));
      return;
    }
    const bool dict = value.is(Kind::dict);
    if (!dict && !value.is(Kind::list) && !value.is(Kind::tuple)) return;
    if (dict) file_.tensors(value);  // refuses tensors that are sparse, quantized, …
    const size_t step = dict ? 2 : 1;
    for (size_t i = 0; i + step <= value.items.size(); i += step) {
      const auto name = dict ? value.items[i]->as_key() : std::to_string(i);
      visit(*value.items[i + step - 1], path + "/" + name);
    }
  }

  TensorFile& file_;
  int visited_ = 0;
};

json content(const std::string& path) {
  if (is_torch(*open_tensors(path))) {
    TensorFile file(path);
    file.verify();
    return Walk(file).tensors;
  }
  json tensors = json::object();
  for (const auto& [name, tensor] : read_safetensors(path).tensors) {
    tensors["/" + name] = described(tensor);
  }
  return tensors;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream list(argv[1]);
  std::ofstream report(argv[2]);
  for (std::string path; std::getline(list, path);) {
    json line;
    try {
      line["tensors"] = content(path);
    } catch (const wf::Error& problem) {
      line["error"] = problem.what();
    }
    report << line.dump(-1, ' ', true, json::error_handler_t::replace) << "\n" << std::flush;
  }
  return report.good() ? 0 : 1;
}
