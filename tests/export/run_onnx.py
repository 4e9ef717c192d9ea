"""Checks an ONNX file and runs it in ONNX Runtime.

    python run_onnx.py MODEL.onnx [X.safetensors …]

Writes the outputs for each X.safetensors to X.out.safetensors, and prints what the file has as JSON. Exit code 77: this
Python has no onnx or no onnxruntime.
"""

import json
import math
import sys

try:
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file, save_file
except ImportError as missing:
    print(missing)
    sys.exit(77)


def shapes_of(graph):
    """The inferred shape of every value; None for sizes that are not known."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = [d.dim_value if d.HasField("dim_value") else None for d in dims]
    return shapes


def multiplications(graph):
    """Multiply-accumulates of the products and convolutions; None when sizes are not known."""
    shapes = shapes_of(graph)
    count = 0
    for node in graph.node:
        if node.op_type not in ("MatMul", "Conv"):
            continue
        right, out = shapes.get(node.input[1]), shapes.get(node.output[0])
        if None in (right, out) or None in right + out:
            return None
        count += math.prod(out) * (right[-2] if node.op_type == "MatMul" else math.prod(right[1:]))
    return count


model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
for path in sys.argv[2:]:
    outputs = session.run(names, load_file(path))
    save_file(dict(zip(names, outputs)), path.replace(".safetensors", ".out.safetensors"))

print(
    json.dumps(
        {
            "opset": model.opset_import[0].version,
            "nodes": len(model.graph.node),
            "operators": sorted({node.op_type for node in model.graph.node}),
            "inputs": {i.name: [i.type, i.shape] for i in session.get_inputs()},
            "outputs": {o.name: [o.type, o.shape] for o in session.get_outputs()},
            "metadata": session.get_modelmeta().custom_metadata_map,
            "multiplications": multiplications(inferred.graph),
        }
    )
)
