"""A model as an ONNX graph, for onnxruntime and other programs.

    ids (T, B) -> Gather -> RNN, LSTM or GRU, one per layer -> MatMul, Add -> logits (T, B, V)

Its further inputs are the states h0 and, for an LSTM, c0; its further outputs the next ones, hn and
cn, all (L, B, H) as in torch. T and B are free.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from charrnn import __version__
from charrnn.checkpoints.checkpoint import Checkpoint
from charrnn.errors import CharRNNError, require
from charrnn.inference.sampling import terminator
from charrnn.interop.formats import Content, Format
from charrnn.nn.cells import CELLS
from charrnn.nn.parameters import Array

# Where the gates that ONNX wants, in its order, stand in torch's and ours:
# h; i, o, f, c of i, f, g, o; z, r, h of r, z, n.
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}
# Those of ONNX 1.12 (2022), so that older programs read the file, too.
OPSET, IR_VERSION = 17, 8
LIMIT = 2_000_000_000  # bytes; a protobuf holds 2 GiB


def onnx_content(checkpoint: Checkpoint, _name: str) -> Content:
    """Return the ONNX file of a model.

    Raises ConfigError for a cell that ONNX lacks, and CharRNNError for more weights than an ONNX
    file can hold.
    """
    cell, size = checkpoint.config.cell, checkpoint.parameters.flat.nbytes
    require(
        cell in GATES,
        f"ONNX does not support the cell {cell!r}; supported cells: {', '.join(GATES)}",
    )
    if size > LIMIT:
        raise CharRNNError(
            f"the model has {size / 1e6:,.0f} MB of weights; the limit of .onnx files is "
            f"{LIMIT / 1e6:,.0f} MB"
        )
    from onnx import helper

    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        _graph(checkpoint),
        opset_imports=[opset],
        ir_version=IR_VERSION,
        producer_name="charrnn",
        producer_version=__version__,
    )
    metadata = {
        "alphabet": checkpoint.tokenizer.alphabet,
        "config": asdict(checkpoint.config),
        "terminator": terminator(checkpoint),
    }
    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    return Content(model.SerializeToString())


def _graph(checkpoint: Checkpoint) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    config, weights = checkpoint.config, checkpoint.parameters
    V, L, H = len(checkpoint.tokenizer), config.num_layers, config.hidden_size
    states = ["h", "c"][: CELLS[config.cell].states]
    nodes, constants = [], []

    def node(kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))
        return outputs[0]

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    if config.embedding_size:
        table = constant("embedding.weight", weights["embedding.weight"])
        x = node("Gather", [table, "ids"], "embedded")
    else:
        depth = constant("depth", np.array([V]))
        off_on = constant("off_on", np.array([0, 1], np.float32))
        x = node("OneHot", ["ids", depth, off_on], "one_hot")
    for s in states:
        node("Split", [f"{s}0"], *(f"{s}0_l{layer}" for layer in range(L)), axis=0)
    directions = constant("directions", np.array([1]))  # the axis of these: there is one
    for layer in range(L):
        W, R, b_ih, b_hh = (
            _reordered(weights[f"rnn.{kind}_l{layer}"], GATES[config.cell])
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        y = node(
            config.cell.upper(),
            [
                x,
                constant(f"W_l{layer}", W),
                constant(f"R_l{layer}", R),
                constant(f"B_l{layer}", np.concatenate([b_ih, b_hh], axis=1)),
                "",  # the lengths of the sequences: all T
                *(f"{s}0_l{layer}" for s in states),
            ],
            f"y_l{layer}",  # (T, 1, B, H)
            *(f"{s}n_l{layer}" for s in states),  # (1, B, H)
            hidden_size=H,
            **({"linear_before_reset": 1} if config.cell == "gru" else {}),
        )
        x = node("Squeeze", [y, directions], f"x_l{layer + 1}")
    product = node("MatMul", [x, constant("head.weight", weights["head.weight"].T)], "product")
    node("Add", [product, constant("head.bias", weights["head.bias"])], "logits")
    for s in states:
        node("Concat", [f"{s}n_l{layer}" for layer in range(L)], f"{s}n", axis=0)

    def values(name: str, shape: Sequence[str | int], kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [values("ids", ["T", "B"], TensorProto.INT64)]
    inputs += [values(f"{s}0", [L, "B", H]) for s in states]
    outputs = [values("logits", ["T", "B", V])]
    outputs += [values(f"{s}n", [L, "B", H]) for s in states]
    return helper.make_graph(nodes, "charrnn", inputs, outputs, constants)


def _reordered(values: Array, gates: Sequence[int]) -> Array:
    """Return weights (G*H, ...) as (1, G*H, ...), with the `gates` in this order."""
    blocks = values.reshape(len(gates), -1, *values.shape[1:])
    return blocks[gates].reshape(1, *values.shape)


ONNX = Format(onnx_content, needs="onnx", extra="onnx")
