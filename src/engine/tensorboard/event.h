// The protocol buffers of TensorBoard, as bytes: tensorboard/compat/proto/{event,summary}.proto and
// tensorboard/plugins/hparams/{api,plugin_data}.proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wf {

/// When and at which optimizer step something happened.
struct EventTime {
  double seconds = 0;  ///< since 1970
  int64_t step = 0;
};

/// The first event of each file.
std::string version_event(double seconds);

/// TensorBoard drops the events with this step and later ones that it has read before: the run was
/// resumed and sends them again (SessionLog START).
std::string start_event(const EventTime& time);

std::string scalar_event(const EventTime& time,
                         const std::vector<std::pair<std::string, double>>& values);

/// Markdown for the tab "Text".
std::string text_event(const EventTime& time, const std::string& tag, const std::string& markdown);

struct EncodedImage {
  int64_t height = 0, width = 0, channels = 3;
  std::string bytes;  ///< of a PNG or JPEG file
};
std::string image_event(const EventTime& time, const std::string& tag, const EncodedImage& image);

/// The settings for the tab "HParams": names with their texts. true, false and numbers keep their
/// types, text in quotation marks becomes a string without them.
std::string hparams_event(const EventTime& time, const std::string& name,
                          const std::vector<std::pair<std::string, std::string>>& settings);
/// The run has ended.
std::string hparams_end_event(const EventTime& time);

/// What a resumed run needs to know about an event.
struct EventSummary {
  int64_t step = 0;
  std::string tag;  ///< of its first value; "" when it has none
};
/// Throws protozero::exception when the bytes are not an event.
EventSummary read_event(std::string_view bytes);

}  // namespace wf
