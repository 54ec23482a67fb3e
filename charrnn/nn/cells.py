"""The recurrent cells: elementwise equations, forward and backward, and no matrix product.

A cell computes one time step from two pre-activations of each gate, both (B, H),

    a = W_ih x + b_ih  (input part)        u = W_hh h + b_hh  (recurrent part)

and the previous state (S, B, H), of which h is first. For most gates only the sum a + u matters;
those from number `split` on use the two separately.

    forward(a, u, kept, old, new)       a (G, B, H) becomes the gates' values; u (split, B, H) is
                                        overwritten; kept (G-split, B, H), the u of the other gates,
                                        is left for the backward pass; new becomes the next state
    backward(a, kept, old, new, d, direct, tmp)
                                        a becomes dL/da, and kept its gates' dL/du; d (S, B, H)
                                        comes in as dL/dnew and leaves as dL/dold for all states but
                                        h; direct (0 or 1, B, H) becomes the part of dL/dh_old that
                                        bypasses u; tmp (scratch, B, H) is overwritten

All arrays are the layer's buffers, and all work is done in place. The pre-activations of a sigmoid
gate arrive halved (`scale`): as sigmoid(x) = (1 + tanh(x / 2)) / 2, one tanh serves all gates. The
gradients are those of the true pre-activations.

Weights, equations and order of gates are those of torch.nn.RNN, LSTM and GRU.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from charrnn.nn.parameters import Array


class Cell(Protocol):
    """What the layers require of a cell; to add one, write it below and list it in CELLS."""

    gates: ClassVar[int]  # G
    states: ClassVar[int]  # S
    split: ClassVar[int]  # the first of the gates in which a and u do not merely add up
    direct: ClassVar[int]  # 1 if h reaches the next h without passing through u, else 0
    scratch: ClassVar[int]  # the number of (B, H) arrays that `backward` needs as tmp
    scale: ClassVar[tuple[float, ...]]  # (G,): 0.5 for sigmoid gates, 1 for others
    bias: ClassVar[tuple[float, ...]]  # (G,): the initial b_ih

    @staticmethod
    def forward(a: Array, u: Array, kept: Array, old: Array, new: Array) -> None:
        """Compute one time step."""

    @staticmethod
    def backward(
        a: Array, kept: Array, old: Array, new: Array, d: Array, direct: Array, tmp: Array
    ) -> None:
        """Compute the gradients of one time step."""


class RNN(Cell):
    """Elman's simple recurrent network (1990).

    h' = tanh(a + u)
    """

    gates, states, split, direct, scratch = 1, 1, 1, 0, 0
    scale = (1.0,)
    bias = (0.0,)

    @staticmethod
    def forward(a: Array, u: Array, kept: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        np.add(a, u, out=a)
        np.tanh(a, out=new)

    @staticmethod
    def backward(
        a: Array, kept: Array, old: Array, new: Array, d: Array, direct: Array, tmp: Array
    ) -> None:
        """Compute the gradients of one time step.

        da = dh' (1 - h'^2)
        """
        np.multiply(new, new, out=a)
        np.subtract(1, a, out=a)
        np.multiply(a, d, out=a)


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    i = sigmoid(a_i + u_i)           f = sigmoid(a_f + u_f)
    g = tanh(a_g + u_g)              o = sigmoid(a_o + u_o)
    c' = f c + i g
    h' = o tanh(c')
    """

    gates, states, split, direct, scratch = 4, 2, 4, 0, 3
    scale = (0.5, 0.5, 1.0, 0.5)
    bias = (0.0, 1.0, 0.0, 0.0)  # an open forget gate: Jozefowicz et al. (2015)

    @staticmethod
    def forward(a: Array, u: Array, kept: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        i, f, g, o = a
        c_old = old[1]
        h, c = new
        np.add(a, u, out=a)
        np.tanh(a, out=a)
        sigmoid_from_tanh(a[:2])
        sigmoid_from_tanh(o)
        np.multiply(f, c_old, out=c)
        np.multiply(i, g, out=h)
        np.add(c, h, out=c)
        np.tanh(c, out=h)
        np.multiply(o, h, out=h)

    @staticmethod
    def backward(
        a: Array, kept: Array, old: Array, new: Array, d: Array, direct: Array, tmp: Array
    ) -> None:
        """Compute the gradients of one time step.

        do = dh' tanh(c') o (1 - o)      dc' += dh' o (1 - tanh(c')^2)
        di = dc' g i (1 - i)             dg = dc' i (1 - g^2)
        df = dc' c f (1 - f)             dc = dc' f
        """
        i, f, g, o = a
        c_old, c = old[1], new[1]
        dh, dc = d
        tanh_c, x, y = tmp
        np.tanh(c, out=tanh_c)
        np.multiply(dh, o, out=x)
        np.multiply(x, tanh_c, out=y)  # dh' o tanh(c')
        np.add(dc, x, out=dc)
        np.multiply(y, tanh_c, out=x)
        np.subtract(dc, x, out=dc)
        np.multiply(y, o, out=x)
        np.subtract(y, x, out=o)  # do
        np.multiply(dc, i, out=x)
        np.multiply(x, g, out=y)  # dc' i g
        np.multiply(y, g, out=g)
        np.subtract(x, g, out=g)  # dg
        np.multiply(y, i, out=x)
        np.subtract(y, x, out=i)  # di
        np.multiply(dc, f, out=dc)  # dc
        np.multiply(dc, c_old, out=x)
        np.multiply(x, f, out=y)
        np.subtract(x, y, out=f)  # df


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as in torch.

    r = sigmoid(a_r + u_r)    z = sigmoid(a_z + u_z)    n = tanh(a_n + r u_n)
    h' = (1 - z) n + z h = n + z (h - n)
    """

    gates, states, split, direct, scratch = 3, 1, 2, 1, 2
    scale = (0.5, 0.5, 1.0)
    bias = (0.0, 0.0, 0.0)

    @staticmethod
    def forward(a: Array, u: Array, kept: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        r, z, n = a
        u_n, x, h_old, h = kept[0], u[0], old[0], new[0]
        gates = a[:2]
        np.add(gates, u, out=gates)
        np.tanh(gates, out=gates)
        sigmoid_from_tanh(gates)
        np.multiply(r, u_n, out=x)
        np.add(n, x, out=n)
        np.tanh(n, out=n)
        np.subtract(h_old, n, out=h)
        np.multiply(h, z, out=h)
        np.add(h, n, out=h)

    @staticmethod
    def backward(
        a: Array, kept: Array, old: Array, new: Array, d: Array, direct: Array, tmp: Array
    ) -> None:
        """Compute the gradients of one time step.

        dz = dh' (h - n) z (1 - z)       dh = dh' z                dn = dh' (1 - z) (1 - n^2)
        dr = dn u_n r (1 - r)            du_n = dn r
        """
        r, z, n = a
        h_old, dh, u_n = old[0], d[0], kept[0]
        x, y = tmp
        np.multiply(dh, z, out=direct[0])  # dh
        np.subtract(dh, direct[0], out=x)  # dh' (1 - z)
        np.subtract(h_old, n, out=y)
        np.multiply(y, x, out=y)
        np.multiply(y, z, out=z)  # dz
        np.multiply(x, n, out=y)
        np.multiply(y, n, out=y)
        np.subtract(x, y, out=n)  # dn
        np.multiply(n, r, out=x)
        np.multiply(x, u_n, out=y)  # dn r u_n
        np.copyto(u_n, x)  # du_n
        np.multiply(y, r, out=x)
        np.subtract(y, x, out=r)  # dr


def sigmoid_from_tanh(t: Array) -> None:
    """Turn tanh(x / 2) into sigmoid(x), in place: tanh is vectorized, and cannot overflow."""
    np.multiply(t, 0.5, out=t)
    np.add(t, 0.5, out=t)


CELLS: dict[str, type[Cell]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
