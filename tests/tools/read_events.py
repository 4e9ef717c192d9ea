"""Prints what TensorBoard itself reads from a directory of event files, as JSON.

Exits with 77 where Python has no tensorboard.
"""

import json
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.util import tensor_util
except ImportError:
    sys.exit(77)

accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()


def hparams(tag):
    content = accumulator.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def value(setting):
    return getattr(setting, setting.WhichOneof("kind"))


found = {
    "scalars": {tag: [[event.step, event.value] for event in accumulator.Scalars(tag)] for tag in tags["scalars"]},
    "texts": {
        tag: [tensor_util.make_ndarray(event.tensor_proto)[0].decode() for event in accumulator.Tensors(tag)]
        for tag in tags["tensors"]
        if accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "text"
    },
    "images": {
        tag: [[event.step, event.width, event.height, event.encoded_image_string[:4].hex()] for event in accumulator.Images(tag)]
        for tag in tags["images"]
    },
    "hparams": {
        name: value(setting)
        for name, setting in hparams("_hparams_/session_start_info").session_start_info.hparams.items()
    },
    "ended": "_hparams_/session_end_info" in accumulator.summary_metadata,
}
print(json.dumps(found))
