#include "engine/tensorboard/event.h"

#include <cstdlib>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace wf {
namespace {

using protozero::pbf_reader;
using protozero::pbf_writer;

// Field numbers of the .proto files.
namespace event {
enum { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
}
namespace session_log {
enum { kStatus = 1 };
constexpr int kStart = 1;
}  // namespace session_log
namespace summary {
enum { kValue = 1 };
}
namespace value {
enum { kTag = 1, kSimpleValue = 2, kImage = 4, kTensor = 8, kMetadata = 9 };
}
namespace image_value {
enum { kHeight = 1, kWidth = 2, kColorspace = 3, kBytes = 4 };
}
namespace metadata {
enum { kPluginData = 1, kDataClass = 4 };
constexpr int kTensorClass = 2;
}  // namespace metadata
namespace plugin_data {
enum { kName = 1, kContent = 2 };
}
namespace tensor {
enum { kDtype = 1, kShape = 2, kStringVal = 8 };
constexpr int kString = 7;
}  // namespace tensor
namespace shape {
enum { kDim = 2, kSize = 1 };
}
namespace hparams {
enum { kExperiment = 2, kSessionStart = 3, kSessionEnd = 4 };
}
namespace experiment {
enum { kName = 6, kTimeCreated = 3 };
}
namespace session_start {
enum { kHparams = 1, kGroupName = 4, kStartTime = 5 };
}
namespace session_end {
enum { kStatus = 1, kEndTime = 2 };
constexpr int kSuccess = 1;
}  // namespace session_end
namespace map_entry {
enum { kKey = 1, kValue = 2 };
}
namespace any_value {
enum { kNumber = 2, kString = 3, kBool = 4 };
}

// The event of `time`; `fill` writes what it holds.
template <typename Fill>
std::string make_event(const EventTime& time, Fill fill) {
  std::string bytes;
  pbf_writer out(bytes);
  out.add_double(event::kWallTime, time.seconds);
  if (time.step != 0) out.add_int64(event::kStep, time.step);
  fill(out);
  return bytes;
}

// An event with one value of a summary.
template <typename Fill>
std::string make_value_event(const EventTime& time, const std::string& tag, Fill fill) {
  return make_event(time, [&](pbf_writer& out) {
    pbf_writer all(out, event::kSummary);
    pbf_writer one(all, summary::kValue);
    one.add_string(value::kTag, tag);
    fill(one);
  });
}

void put_plugin(pbf_writer& metadata_out, const std::string& name, const std::string& content) {
  pbf_writer plugin(metadata_out, metadata::kPluginData);
  plugin.add_string(plugin_data::kName, name);
  if (!content.empty()) plugin.add_bytes(plugin_data::kContent, content);
}

void put_hparam(pbf_writer& session, const std::string& name, const std::string& text) {
  pbf_writer entry(session, session_start::kHparams);
  entry.add_string(map_entry::kKey, name);
  pbf_writer out(entry, map_entry::kValue);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text == "true" || text == "false") {
    out.add_bool(any_value::kBool, text == "true");
  } else if (!text.empty() && *end == '\0') {
    out.add_double(any_value::kNumber, number);
  } else if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    out.add_string(any_value::kString, text.substr(1, text.size() - 2));
  } else {
    out.add_string(any_value::kString, text);
  }
}

// Values of the plugin "hparams" have their content in the metadata and no data.
void put_hparams_value(pbf_writer& all, const std::string& tag, const std::string& content) {
  pbf_writer one(all, summary::kValue);
  one.add_string(value::kTag, tag);
  pbf_writer about(one, value::kMetadata);
  put_plugin(about, "hparams", content);
}

}  // namespace

std::string version_event(double seconds) {
  return make_event({seconds, 0},
                    [](pbf_writer& out) { out.add_string(event::kFileVersion, "brain.Event:2"); });
}

std::string start_event(const EventTime& time) {
  return make_event(time, [](pbf_writer& out) {
    pbf_writer log(out, event::kSessionLog);
    log.add_enum(session_log::kStatus, session_log::kStart);
  });
}

std::string scalar_event(const EventTime& time,
                         const std::vector<std::pair<std::string, double>>& values) {
  return make_event(time, [&](pbf_writer& out) {
    pbf_writer all(out, event::kSummary);
    for (const auto& [tag, number] : values) {
      pbf_writer one(all, summary::kValue);
      one.add_string(value::kTag, tag);
      one.add_float(value::kSimpleValue, static_cast<float>(number));
    }
  });
}

std::string text_event(const EventTime& time, const std::string& tag, const std::string& markdown) {
  return make_value_event(time, tag, [&](pbf_writer& out) {
    {
      pbf_writer content(out, value::kTensor);
      content.add_enum(tensor::kDtype, tensor::kString);
      {
        pbf_writer sizes(content, tensor::kShape);
        pbf_writer one(sizes, shape::kDim);
        one.add_int64(shape::kSize, 1);
      }
      content.add_bytes(tensor::kStringVal, markdown);
    }
    pbf_writer about(out, value::kMetadata);
    put_plugin(about, "text", "");
    about.add_enum(metadata::kDataClass, metadata::kTensorClass);
  });
}

std::string image_event(const EventTime& time, const std::string& tag, const EncodedImage& image) {
  return make_value_event(time, tag, [&](pbf_writer& out) {
    pbf_writer content(out, value::kImage);
    content.add_int32(image_value::kHeight, static_cast<int32_t>(image.height));
    content.add_int32(image_value::kWidth, static_cast<int32_t>(image.width));
    content.add_int32(image_value::kColorspace, static_cast<int32_t>(image.channels));
    content.add_bytes(image_value::kBytes, image.bytes);
  });
}

std::string hparams_event(const EventTime& time, const std::string& name,
                          const std::vector<std::pair<std::string, std::string>>& settings) {
  std::string experiment_bytes, session_bytes;
  {
    pbf_writer content(experiment_bytes);
    pbf_writer about(content, hparams::kExperiment);
    about.add_double(experiment::kTimeCreated, time.seconds);
    about.add_string(experiment::kName, name);
  }
  {
    pbf_writer content(session_bytes);
    pbf_writer session(content, hparams::kSessionStart);
    for (const auto& [key, text] : settings) put_hparam(session, key, text);
    session.add_string(session_start::kGroupName, name);
    session.add_double(session_start::kStartTime, time.seconds);
  }
  return make_event(time, [&](pbf_writer& out) {
    pbf_writer all(out, event::kSummary);
    put_hparams_value(all, "_hparams_/experiment", experiment_bytes);
    put_hparams_value(all, "_hparams_/session_start_info", session_bytes);
  });
}

std::string hparams_end_event(const EventTime& time) {
  std::string bytes;
  {
    pbf_writer content(bytes);
    pbf_writer session(content, hparams::kSessionEnd);
    session.add_enum(session_end::kStatus, session_end::kSuccess);
    session.add_double(session_end::kEndTime, time.seconds);
  }
  return make_event(time, [&](pbf_writer& out) {
    pbf_writer all(out, event::kSummary);
    put_hparams_value(all, "_hparams_/session_end_info", bytes);
  });
}

EventSummary read_event(std::string_view bytes) {
  EventSummary out;
  pbf_reader in(bytes.data(), bytes.size());
  while (in.next()) {
    if (in.tag() == event::kStep) {
      out.step = in.get_int64();
    } else if (in.tag() == event::kSummary && out.tag.empty()) {
      pbf_reader all = in.get_message();
      if (!all.next(summary::kValue)) continue;
      pbf_reader one = all.get_message();
      if (one.next(value::kTag)) out.tag = one.get_string();
    } else {
      in.skip();
    }
  }
  return out;
}

}  // namespace wf
