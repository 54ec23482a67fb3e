"""Sample from an exported model with nothing but NumPy and onnxruntime.

    charrnn export novel.safetensors novel.onnx
    python examples/onnx_sample.py novel.onnx "Once " 500 0.7

The arguments are the model, the prompt, the number of characters and the temperature.
"""

import json
import sys

import numpy as np
import onnxruntime

path, prompt, length, temperature = sys.argv[1:]
session = onnxruntime.InferenceSession(path)
alphabet = json.loads(session.get_modelmeta().custom_metadata_map["alphabet"])
names = [given.name for given in session.get_inputs()[1:]]  # h0, and c0 for an LSTM
L, _, H = session.get_inputs()[1].shape
states = [np.zeros((L, 1, H), np.float32) for _ in names]
rng = np.random.default_rng()

print(prompt, end="")
ids = [[alphabet.index(character)] for character in prompt]  # (T, B)
for _ in range(int(length)):
    feeds = {"ids": np.array(ids), **dict(zip(names, states, strict=True))}
    logits, *states = session.run(None, feeds)
    scores = logits[-1, 0].astype(np.float64) / float(temperature)
    p = np.exp(scores - scores.max())
    ids = [[rng.choice(len(alphabet), p=p / p.sum())]]
    print(alphabet[ids[0][0]], end="", flush=True)
print()
