#include "data/sources/packed_latents.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/little_endian.h"
#include "core/mapped_file.h"

#include <c10/core/ScalarType.h>
#include <c10/util/Half.h>

#include <cmath>
#include <utility>

namespace wf {
namespace {

constexpr std::string_view kLatentMagic("wflat\r\n\0", 8), kLatentEndMagic = "wflaend\n";
constexpr uint32_t kLatentVersion = 1;
constexpr size_t kLatentHeader = 64, kLatentFooter = 32, kLatentRecord = 8;

void append_sized(std::string& out, const std::string& text) {
  append_number<uint32_t>(out, static_cast<uint32_t>(text.size()));
  out += text;
}

std::string latent_header(const PackedLatentsInfo& info) {
  std::string out(kLatentMagic);
  append_number<uint32_t>(out, kLatentVersion);
  append_number<uint32_t>(out, static_cast<uint32_t>(info.channels));
  append_number<uint32_t>(out, static_cast<uint32_t>(info.side));
  append_number<uint32_t>(out, static_cast<uint32_t>(info.planes));
  append_number<uint32_t>(out, info.type == at::kHalf ? 16 : 32);
  append_number<uint32_t>(out, static_cast<uint32_t>(info.classes.size()));
  append_number<uint64_t>(out, static_cast<uint64_t>(info.samples));
  append_number<double>(out, info.scale);
  append_number<double>(out, info.shift);
  append_number<uint64_t>(out, 0);
  return out;
}

}  // namespace

int64_t PackedLatentsInfo::row_bytes() const {
  return planes * channels * side * side * static_cast<int64_t>(c10::elementSize(type));
}

PackedLatentsWriter::PackedLatentsWriter(const std::string& path, PackedLatentsInfo info)
    : file_(path), path_(path), header_(latent_header(info)), info_(std::move(info)) {
  file_.write(header_.data(), header_.size());
}

void PackedLatentsWriter::add(const at::Tensor& row, int64_t label) {
  WF_CHECK(row.is_contiguous() && row.scalar_type() == info_.type &&
               static_cast<int64_t>(row.nbytes()) == info_.row_bytes(),
           path_, ": a row ", row.sizes(), " of ", row.scalar_type(), ", expected ", info_.planes,
           " x ", info_.channels, " x ", info_.side, " x ", info_.side);
  WF_CHECK(label >= 0 && label < static_cast<int64_t>(info_.classes.size()), path_, ": label ",
           label, ", and there are ", info_.classes.size(), " classes");
  const std::string_view bytes(static_cast<const char*>(row.const_data_ptr()), row.nbytes());
  append_number<int32_t>(records_, static_cast<int32_t>(label));
  append_number<uint32_t>(records_, checksum(bytes));
  file_.write(bytes.data(), bytes.size());
  ++written_;
}

void PackedLatentsWriter::finish() {
  WF_CHECK(written_ == info_.samples, path_, ": ", written_, " samples, expected ", info_.samples);
  std::string index;
  for (const auto& name : info_.classes) append_sized(index, name);
  index += records_;
  append_sized(index, info_.origin);
  std::string footer;
  append_number<uint64_t>(footer,
                          kLatentHeader + static_cast<uint64_t>(info_.samples * info_.row_bytes()));
  append_number<uint64_t>(footer, index.size());
  append_number<uint32_t>(footer, checksum(footer, checksum(index, checksum(header_))));
  append_number<uint32_t>(footer, 0);
  footer += kLatentEndMagic;
  file_.write(index.data(), index.size());
  file_.write(footer.data(), footer.size());
  file_.commit();
}

PackedLatents::PackedLatents(const std::string& path, double hflip)
    : file_(std::make_shared<const MappedFile>(path)), hflip_(hflip) {
  const auto all = file_->bytes();
  WF_CHECK(all.substr(0, kLatentMagic.size()) == kLatentMagic, path, ": not a file of wf_encode");
  const auto need = [&](bool good) {
    WF_CHECK(good, path, ": truncated or damaged; copy it again or encode again");
  };
  need(all.size() >= kLatentHeader + kLatentFooter);
  const auto version = load_number<uint32_t>(all, 8);
  WF_CHECK(version == kLatentVersion, path, ": version ", version,
           " of the format, and this program reads ", kLatentVersion, "; encode again");
  const auto footer = all.substr(all.size() - kLatentFooter);
  need(footer.substr(kLatentFooter - kLatentEndMagic.size()) == kLatentEndMagic);
  const auto begin = load_number<uint64_t>(footer, 0), length = load_number<uint64_t>(footer, 8);
  need(begin >= kLatentHeader && begin <= all.size() - kLatentFooter &&
       length == all.size() - kLatentFooter - begin);
  auto rest = all.substr(begin, length);
  need(checksum(footer.substr(0, 16), checksum(rest, checksum(all.substr(0, kLatentHeader)))) ==
       load_number<uint32_t>(footer, 16));
  const auto number = [&](size_t at) { return int64_t{load_number<uint32_t>(all, at)}; };
  info_.channels = channels_ = number(12);
  info_.side = side_ = number(16);
  info_.planes = number(20);
  info_.type = number(24) == 16 ? at::kHalf : at::kFloat;
  info_.samples = static_cast<int64_t>(load_number<uint64_t>(all, 32));
  info_.scale = load_number<double>(all, 40);
  info_.shift = load_number<double>(all, 48);
  // Sizes that multiply without overflow: the checksum protects against damage, not against intent.
  constexpr int64_t kMost = 1 << 16;
  need((info_.planes == 2 || info_.planes == 4) && channels_ > 0 && channels_ < kMost &&
       side_ > 0 && side_ < kMost && channels_ * side_ < (int64_t{1} << 24));
  need(info_.samples >= 0 &&
       info_.samples <= static_cast<int64_t>(all.size()) / info_.row_bytes() &&
       begin == kLatentHeader + static_cast<uint64_t>(info_.samples * info_.row_bytes()));
  const auto text = [&] {
    need(rest.size() >= 4 && load_number<uint32_t>(rest, 0) <= rest.size() - 4);
    std::string out(rest.substr(4, load_number<uint32_t>(rest, 0)));
    rest.remove_prefix(4 + out.size());
    return out;
  };
  for (auto left = number(28); left > 0; --left) info_.classes.push_back(text());
  need(static_cast<uint64_t>(info_.samples) <= rest.size() / kLatentRecord);
  records_ = rest.substr(0, static_cast<size_t>(info_.samples) * kLatentRecord);
  rest.remove_prefix(records_.size());
  info_.origin = text();
  WF_CHECK(info_.samples > 0, path, ": holds no latents");
  if (info_.planes == 2) hflip_ = 0;
}

std::string PackedLatents::name(int64_t i) const { return str(file_->path(), " [", i, "]"); }

int64_t PackedLatents::read(int64_t i, CounterRng* rng, float* out) const {
  const auto bytes = static_cast<size_t>(info_.row_bytes());
  const auto row = file_->bytes().substr(kLatentHeader + static_cast<size_t>(i) * bytes, bytes);
  const auto record = static_cast<size_t>(i) * kLatentRecord;
  WF_CHECK(file_->whole(), file_->path(), ": has become shorter since it was opened");
  WF_CHECK(checksum(row) == load_number<uint32_t>(records_, record + 4), name(i),
           ": damaged: its CRC-32 does not match; copy the file again or encode again");
  if (info_.type == at::kHalf) {
    draw(reinterpret_cast<const c10::Half*>(row.data()), rng, i, out);
  } else {
    draw(reinterpret_cast<const float*>(row.data()), rng, i, out);
  }
  return load_number<int32_t>(records_, record);
}

template <typename T>
void PackedLatents::draw(const T* row, CounterRng* rng, int64_t i, float* out) const {
  const int64_t count = channels_ * side_ * side_;
  if (rng && rng->uniform() < hflip_) row += 2 * count;
  const auto scale = static_cast<float>(info_.scale), shift = static_cast<float>(info_.shift);
  for (int64_t k = 0; k < count; ++k) {
    float z = row[k];
    if (rng) z += std::exp(0.5f * row[count + k]) * static_cast<float>(rng->normal());
    WF_CHECK(std::isfinite(z), name(i), ": holds numbers that are not finite; encode again");
    out[k] = (z - shift) * scale;
  }
}

}  // namespace wf
