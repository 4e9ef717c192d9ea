#include "data/sources/packed_file.h"

#include "weightformer/core/check.h"

#include "core/checksum.h"
#include "core/little_endian.h"
#include "data/image/decode.h"
#include "data/sources/class_names.h"

namespace wf {
namespace {

// Carriage return and line feed reveal a file that was copied as text.
constexpr std::string_view kPackMagic = "wfpack\r\n", kEndMagic = "wfpkend\n";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeader = 16, kFooter = 40, kRecord = 40;

}  // namespace

PackedWriter::PackedWriter(const std::string& path, std::vector<std::string> classes)
    : file_(path), classes_(std::move(classes)) {
  std::string header(kPackMagic);
  append_number<uint32_t>(header, kVersion);
  append_number<uint32_t>(header, 0);
  file_.write(header.data(), header.size());
  at_ = header.size();
}

void PackedWriter::add(std::string_view name, int64_t label, std::string_view bytes) {
  WF_CHECK(label >= 0 && label < static_cast<int64_t>(classes_.size()), name, ": label ", label,
           ", and there are ", classes_.size(), " classes");
  append_number<uint64_t>(records_, at_);
  append_number<uint64_t>(records_, bytes.size());
  append_number<uint64_t>(records_, names_.size());
  append_number<uint32_t>(records_, static_cast<uint32_t>(name.size()));
  append_number<uint32_t>(records_, static_cast<uint32_t>(label));
  append_number<uint32_t>(records_, checksum(bytes));
  append_number<uint32_t>(records_, 0);
  names_ += name;
  file_.write(bytes.data(), bytes.size());
  at_ += bytes.size();
  ++size_;
}

void PackedWriter::finish() {
  std::string index;
  for (const auto& name : classes_) {
    append_number<uint32_t>(index, static_cast<uint32_t>(name.size()));
    index += name;
  }
  index += records_;
  index += names_;
  std::string footer;
  append_number<uint64_t>(footer, at_);
  append_number<uint64_t>(footer, index.size());
  append_number<uint64_t>(footer, static_cast<uint64_t>(size_));
  append_number<uint32_t>(footer, static_cast<uint32_t>(classes_.size()));
  append_number<uint32_t>(footer, checksum(footer, checksum(index)));
  footer += kEndMagic;
  file_.write(index.data(), index.size());
  file_.write(footer.data(), footer.size());
  at_ += index.size() + footer.size();
  file_.commit();
}

struct PackedFile::Record {
  uint64_t begin, length, name_begin;
  uint32_t name_length, label, crc;
};

PackedFile::PackedFile(const std::string& path, PackedFileOptions options)
    : file_(std::make_shared<const MappedFile>(path)) {
  const auto all = file_->bytes();
  WF_CHECK(all.substr(0, kPackMagic.size()) == kPackMagic, path, ": not a file of wf_pack");
  const auto need = [&](bool good) {
    WF_CHECK(good, path, ": truncated or damaged at its end; copy it again or pack it again");
  };
  need(all.size() >= kHeader + kFooter);
  const auto version = load_number<uint32_t>(all, kPackMagic.size());
  WF_CHECK(version == kVersion, path, ": version ", version,
           " of the format, and this program "
           "reads ",
           kVersion, "; pack it again");
  const auto footer = all.substr(all.size() - kFooter);
  need(footer.substr(kFooter - kEndMagic.size()) == kEndMagic);
  const auto begin = load_number<uint64_t>(footer, 0), length = load_number<uint64_t>(footer, 8);
  const auto count = load_number<uint64_t>(footer, 16);
  need(begin >= kHeader && begin <= all.size() - kFooter && length == all.size() - kFooter - begin);
  auto rest = all.substr(begin, length);
  need(checksum(footer.substr(0, 28), checksum(rest)) == load_number<uint32_t>(footer, 28));
  std::vector<std::string> found;
  for (auto left = load_number<uint32_t>(footer, 24); left > 0; --left) {
    need(rest.size() >= 4 && load_number<uint32_t>(rest, 0) <= rest.size() - 4);
    found.emplace_back(rest.substr(4, load_number<uint32_t>(rest, 0)));
    rest.remove_prefix(4 + found.back().size());
  }
  need(count <= rest.size() / kRecord);
  WF_CHECK(count > 0, path, ": holds no image");
  records_ = rest.substr(0, count * kRecord);
  names_ = rest.substr(count * kRecord);
  size_ = static_cast<int64_t>(count);
  classes_ = std::move(options.classes);
  numbers_ = number_classes(found, classes_, path);
  check_records();
  read_ahead_ = std::make_unique<ReadAhead>(file_, options.cache);
}

void PackedFile::check_records() const {
  const auto all = file_->bytes();
  const auto inside = [](uint64_t begin, uint64_t length, uint64_t size) {
    return begin <= size && length <= size - begin;
  };
  for (int64_t i = 0; i < size_; ++i) {
    const auto at = record(i);
    WF_CHECK(inside(at.begin, at.length, all.size()) && at.begin >= kHeader &&
                 inside(at.name_begin, at.name_length, names_.size()) && at.label < numbers_.size(),
             file_->path(), ": the index is damaged at its image ", i, "; pack it again");
  }
}

PackedFile::Record PackedFile::record(int64_t i) const {
  const auto bytes = records_.substr(static_cast<size_t>(i) * kRecord, kRecord);
  return {load_number<uint64_t>(bytes, 0),  load_number<uint64_t>(bytes, 8),
          load_number<uint64_t>(bytes, 16), load_number<uint32_t>(bytes, 24),
          load_number<uint32_t>(bytes, 28), load_number<uint32_t>(bytes, 32)};
}

int64_t PackedFile::label(int64_t i) const { return numbers_[record(i).label]; }
uint64_t PackedFile::length(int64_t i) const { return record(i).length; }

std::string_view PackedFile::entry_name(int64_t i) const {
  const auto at = record(i);
  return names_.substr(at.name_begin, at.name_length);
}

std::string PackedFile::name(int64_t i) const {
  return file_->path() + "/" + std::string(entry_name(i));
}

Encoded PackedFile::read(int64_t i) const {
  if (!file_->whole()) {
    throw UnreadableImage(file_->path() + ": has become shorter since it was opened");
  }
  const auto at = record(i);
  file_->will_need(at.begin, at.length);
  const auto bytes = file_->bytes().substr(at.begin, at.length);
  if (checksum(bytes) != at.crc) {
    throw UnreadableImage(name(i) + ": damaged in the packed file (its checksum does not match)");
  }
  return {bytes, file_};
}

}  // namespace wf
