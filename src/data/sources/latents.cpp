#include "data/sources/latents.h"

#include "weightformer/core/check.h"

#include "core/text.h"
#include "data/sources/latent_layouts.h"
#include "data/sources/packed_latents.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

namespace wf {
namespace {

namespace fs = std::filesystem;

template <typename T>
void convert(const void* from, int64_t count, float* out) {
  const auto* bytes = static_cast<const char*>(from);
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = static_cast<float>(value);
  }
}

// The directory whose name is `ending` or ends in "_" and it.
std::optional<std::string> directory_named(const std::string& directory,
                                           const std::string& ending) {
  std::vector<std::string> found;
  std::error_code problem;
  for (fs::directory_iterator it(directory, problem), end; !problem && it != end;
       it.increment(problem)) {
    const auto name = it->path().filename().string();
    if (it->is_directory() && (name == ending || ends_with(name, "_" + ending))) {
      found.push_back(it->path().string());
    }
  }
  WF_CHECK(found.size() <= 1, directory, ": holds several directories of ", ending, ", such as ",
           found.empty() ? "" : found.back(), ": keep one");
  if (found.empty()) return std::nullopt;
  return found.front();
}

bool holds_shards(const std::string& directory) {
  return std::any_of(fs::directory_iterator(directory), fs::directory_iterator(),
                     [](const auto& entry) { return entry.path().extension() == ".safetensors"; });
}

}  // namespace

float scale_or(const LatentOptions& options, float usual) {
  return options.scale > 0 ? static_cast<float>(options.scale) : usual;
}

void read_numbers(const void* from, at::ScalarType type, int64_t count, const std::string& name,
                  float* out) {
  switch (type) {
    case at::kFloat:
      std::memcpy(out, from, count * sizeof(float));
      break;
    case at::kHalf:
      convert<c10::Half>(from, count, out);
      break;
    case at::kBFloat16:
      convert<c10::BFloat16>(from, count, out);
      break;
    default:
      throw Error(
          str(name, ": latents of type ", c10::toString(type), ", expected float32 or float16"));
  }
  const bool finite = std::all_of(out, out + count, [](float v) { return std::isfinite(v); });
  WF_CHECK(finite, name, ": holds numbers that are not finite; encode this image again");
}

int64_t checked_label(int64_t label, const std::string& name) {
  WF_CHECK(label >= 0, name, ": the label ", label, " is below 0");
  return label;
}

std::shared_ptr<const Latents> open_latents(const std::string& path, const LatentOptions& options) {
  if (fs::is_regular_file(path)) {
    if (ends_with(path, ".wflat")) {
      WF_CHECK(options.scale == 0, path, ": has its own scale; leave DATA.LATENT_SCALE at 0");
      return std::make_shared<PackedLatents>(path, options.hflip);
    }
    if (ends_with(path, ".zip")) return open_mean_and_std(path, options);
    WF_CHECK(ends_with(path, ".npz"), path,
             ": latents are in a directory, a .wflat, .zip or .npz file (DATA.DATA_PATH)");
    return open_npz_latents(path, options);
  }
  WF_CHECK(fs::is_directory(path), path, ": no such directory (DATA.DATA_PATH)");
  const auto has = [&](const char* name) { return fs::exists(path + "/" + name); };
  if (has("latents.npy")) return open_arrays(path, options);
  if (has("latents.npz")) return open_npz_latents(path + "/latents.npz", options);
  if (has("dataset.json")) return open_mean_and_std(path, options);
  if (holds_shards(path)) return open_latent_shards(path, options);
  const auto features = directory_named(path, "features");
  const auto labels = directory_named(path, "labels");
  WF_CHECK(features, path,
           ": holds no latents: expected train.wflat (wf_encode), NAME_features/ and NAME_labels/ "
           "(fast-DiT), dataset.json "
           "(EDM2, REPA), *.safetensors (LightningDiT), latents.npy and labels.npy, or "
           "latents.npz");
  WF_CHECK(labels, path, ": ", *features, " has no directory of labels beside it");
  return open_fast_dit(*features, *labels, options);
}

std::string latent_split(const std::string& directory, const std::string& name) {
  for (const char* ending : {".wflat", "", ".zip", ".npz"}) {
    const auto path = directory + "/" + name + ending;
    if (fs::exists(path)) return path;
  }
  return "";
}

}  // namespace wf
