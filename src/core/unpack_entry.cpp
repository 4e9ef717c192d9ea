#include "core/unpack_entry.h"

#include "core/checksum.h"
#include "core/inflate.h"
#include "core/mapped_file.h"

namespace wf {

UnpackedEntry unpack_entry(const std::shared_ptr<const MappedFile>& archive,
                           const ZipEntry& entry) {
  const auto failed = [](const char* why) { return UnpackedEntry{{}, nullptr, why}; };
  if (!archive->whole()) return failed("the archive has become shorter since it was opened");
  if (entry.encrypted) return failed("encrypted; make the archive without a password");
  const bool deflated = entry.method == 8;
  if (!deflated && entry.method != 0) {
    return failed("packed by a method other than store and deflate");
  }
  const auto stored = zip_data(archive->bytes(), entry);
  if (!stored) return failed("its location in the archive is invalid");
  if (deflated ? entry.size / kMostDeflated > entry.stored : entry.size != entry.stored) {
    return failed("the two sizes in the archive's directory contradict each other");
  }
  archive->will_need(static_cast<size_t>(stored->data() - archive->bytes().data()), stored->size());
  UnpackedEntry out{*stored, archive, ""};
  if (deflated) {
    const std::shared_ptr<char> unpacked(new char[entry.size + 1], std::default_delete<char[]>());
    if (!inflate_to(*stored, unpacked.get(), entry.size)) {
      return failed("damaged in the archive (it does not unpack)");
    }
    out = {{unpacked.get(), entry.size}, unpacked, ""};
  }
  if (checksum(out.data) != entry.crc) {
    return failed("damaged in the archive (its CRC-32 does not match)");
  }
  return out;
}

}  // namespace wf
