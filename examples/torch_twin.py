"""A model file in PyTorch: the same loss and the same text.

    python examples/torch_twin.py novel.safetensors novel.txt

prints the loss of a model on a text, as `charrnn evaluate` does, and then what `charrnn sample
--temperature 0.7 --seed 1 --length 300` does. The model must have been trained on whole files:
with lines, paragraphs or tunes, its state is reset at each of them.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

CHUNK = 1024


class CharRNN(nn.Module):
    """Embedding or one-hot input, recurrent layers, linear head."""

    def __init__(
        self, V: int, cell: str, hidden_size: int, num_layers: int, embedding_size: int, **_: float
    ) -> None:
        super().__init__()
        self.V, E, H = V, embedding_size, hidden_size
        self.embedding = nn.Embedding(V, E) if E else None
        self.rnn = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](E or V, H, num_layers)
        self.head = nn.Linear(H, V)

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        """Return the logits (T, B, V) of what follows `ids` (T, B), and the next state."""
        x = self.embedding(ids) if self.embedding else one_hot(ids, self.V).float()
        y, state = self.rnn(x, state)
        return self.head(y), state


def load(path: str) -> tuple[CharRNN, str]:
    """Return the model in a file, and its alphabet."""
    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["charrnn"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model = CharRNN(len(document["vocabulary"]), **document["config"])
    model.load_state_dict(tensors, strict=True)
    return model.eval(), document["vocabulary"]


@torch.inference_mode()
def evaluate(model: CharRNN, ids: Tensor) -> float:
    """Return the mean loss of all but the first of `ids` (N,), in nats per character."""
    total, state = 0.0, None
    for inputs, targets in zip(ids[:-1].split(CHUNK), ids[1:].split(CHUNK), strict=True):
        logits, state = model(inputs[:, None], state)
        total += cross_entropy(logits[:, 0], targets, reduction="sum").item()
    return total / (len(ids) - 1)


@torch.inference_mode()
def sample(
    model: CharRNN, alphabet: str, prompt: str, length: int, temperature: float, seed: int
) -> str:
    """Return what follows `prompt`; with temperature 0, the likeliest characters."""
    # charrnn's random numbers; the largest of logits plus Gumbel noise is a draw from the softmax.
    rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, 3]))
    ids, text, state = [alphabet.index(character) for character in prompt], "", None
    for _ in range(length):
        logits, state = model(torch.tensor(ids)[:, None], state)
        scores = logits[-1, 0].double().numpy()
        if temperature > 0:
            scores = scores / temperature - np.log(rng.standard_exponential(len(alphabet)))
        ids = [int(scores.argmax())]
        text += alphabet[ids[0]]
    return text


if __name__ == "__main__":
    model, alphabet = load(sys.argv[1])
    ids = [alphabet.index(character) for character in Path(sys.argv[2]).read_text("utf-8")]
    print(f"{evaluate(model, torch.tensor(ids)):.4f} nats per character")
    print(sample(model, alphabet, "\n", length=300, temperature=0.7, seed=1))
