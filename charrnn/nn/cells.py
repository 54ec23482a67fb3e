"""The recurrent cells: elementwise equations, forward and backward, and no matrix product.

A cell is given the two pre-activations of one time step, each (G, H, B), in torch's order of gates,

    a = W_ih x + b_ih  (input part)        u = W_hh h + b_hh  (recurrent part)

and the previous state (S, H, B), whose first row is h. All work is done in place, on buffers that
the layer owns:

    forward(a, u, old, new)             a becomes the gates' values; new, which may be old itself,
                                        becomes the next state; u is scratch space thereafter
    backward(a, u, old, new, d, tmp)    a becomes dL/da; u, given for the gates `split` alone,
                                        becomes their dL/du; d comes in as dL/dnew and leaves as
                                        that share of dL/dold that does not pass through u; tmp is
                                        scratch space

For most gates only a + u matters, so that dL/du is dL/da; `split` are those where it is not.

Weights, equations and order of gates are those of torch.nn.RNN, LSTM and GRU.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np

from charrnn.nn.parameters import Array


class Cell(Protocol):
    """What the layers ask of a cell; to add one, write it below and list it in CELLS."""

    gates: ClassVar[int]  # G
    states: ClassVar[int]  # S
    scratch: ClassVar[int]  # how many (H, B) arrays `backward` needs as tmp
    split: ClassVar[slice]  # the gates in which a and u do not merely add up
    bias: ClassVar[tuple[float, ...]]  # (G,): what each gate's b_ih starts from

    @staticmethod
    def forward(a: Array, u: Array, old: Array, new: Array) -> None:
        """Compute one time step."""

    @staticmethod
    def backward(a: Array, u: Array, old: Array, new: Array, d: Array, tmp: Array) -> None:
        """Compute the gradients of one time step."""


class RNN(Cell):
    """Elman's simple recurrent network (1990).

    h' = tanh(a + u)
    """

    gates, states, scratch, split = 1, 1, 0, slice(0)
    bias = (0.0,)

    @staticmethod
    def forward(a: Array, u: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        np.add(a, u, out=a)
        np.tanh(a, out=new)

    @staticmethod
    def backward(a: Array, u: Array, old: Array, new: Array, d: Array, tmp: Array) -> None:
        """Compute the gradients of one time step.

        da = dh' (1 - h'^2)
        """
        np.multiply(new, new, out=a)
        np.subtract(1, a, out=a)
        np.multiply(a, d, out=a)
        d.fill(0)


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).

    i = sigmoid(a_i + u_i)           f = sigmoid(a_f + u_f)
    g = tanh(a_g + u_g)              o = sigmoid(a_o + u_o)
    c' = f c + i g
    h' = o tanh(c')
    """

    gates, states, scratch, split = 4, 2, 6, slice(0)
    bias = (0.0, 1.0, 0.0, 0.0)  # an open forget gate: Jozefowicz et al. (2015)

    @staticmethod
    def forward(a: Array, u: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        i, f, g, o = a
        c_old = old[1]
        h, c = new
        np.add(a, u, out=a)
        sigmoid(a[:2])
        np.tanh(g, out=g)
        sigmoid(o)
        np.multiply(f, c_old, out=c)
        np.multiply(i, g, out=h)
        np.add(c, h, out=c)
        np.tanh(c, out=h)
        np.multiply(o, h, out=h)

    @staticmethod
    def backward(a: Array, u: Array, old: Array, new: Array, d: Array, tmp: Array) -> None:
        """Compute the gradients of one time step.

        dc += dh' o (1 - tanh(c')^2)
        di = dc g i (1 - i)              df = dc c f (1 - f)
        dg = dc i (1 - g^2)              do = dh' tanh(c') o (1 - o)
        """
        i, f, g, o = a
        c_old, c = old[1], new[1]
        dh, dc = d
        slope, tanh_c, x = tmp[:4], tmp[4], tmp[5]
        np.tanh(c, out=tanh_c)
        np.multiply(tanh_c, tanh_c, out=x)
        np.subtract(1, x, out=x)
        np.multiply(x, o, out=x)
        np.multiply(x, dh, out=x)
        np.add(dc, x, out=dc)
        # The gates' slopes, then the gates' values are no longer needed and make room.
        np.multiply(a, a, out=slope)
        np.subtract(a[:2], slope[:2], out=slope[:2])
        np.subtract(1, slope[2], out=slope[2])
        np.subtract(o, slope[3], out=slope[3])
        np.multiply(dh, tanh_c, out=x)
        np.multiply(x, slope[3], out=o)  # do
        np.multiply(dc, i, out=x)
        np.multiply(dc, g, out=i)
        np.multiply(x, slope[2], out=g)  # dg
        np.multiply(i, slope[0], out=i)  # di
        np.multiply(dc, c_old, out=x)
        np.multiply(dc, f, out=dc)
        np.multiply(x, slope[1], out=f)  # df
        dh.fill(0)


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product, as in torch.

    r = sigmoid(a_r + u_r)    z = sigmoid(a_z + u_z)    n = tanh(a_n + r u_n)
    h' = (1 - z) n + z h = n + z (h - n)
    """

    gates, states, scratch, split = 3, 1, 3, slice(2, 3)
    bias = (0.0, 0.0, 0.0)

    @staticmethod
    def forward(a: Array, u: Array, old: Array, new: Array) -> None:
        """Compute one time step."""
        r, z, n = a
        u_n, h_old, h = u[2], old[0], new[0]
        gates = a[:2]
        np.add(gates, u[:2], out=gates)
        sigmoid(gates)
        np.multiply(r, u_n, out=u_n)
        np.add(n, u_n, out=n)
        np.tanh(n, out=n)
        np.subtract(h_old, n, out=h)
        np.multiply(h, z, out=h)
        np.add(h, n, out=h)

    @staticmethod
    def backward(a: Array, u: Array, old: Array, new: Array, d: Array, tmp: Array) -> None:
        """Compute the gradients of one time step.

        dn = dh' (1 - z) (1 - n^2)       dz = dh' (h - n) z (1 - z)       dh = dh' z
        dr = dn u_n r (1 - r)            du_n = dn r
        """
        r, z, n = a
        h_old, dh, u_n = old[0], d[0], u[0]
        slope, x = tmp[:2], tmp[2]
        np.multiply(a[:2], a[:2], out=slope)
        np.subtract(a[:2], slope, out=slope)
        np.subtract(h_old, n, out=x)
        np.multiply(slope[1], x, out=slope[1])
        np.multiply(dh, z, out=x)
        np.multiply(slope[1], dh, out=z)  # dz
        np.subtract(dh, x, out=dh)  # dh' (1 - z)
        np.multiply(n, n, out=n)
        np.subtract(1, n, out=n)
        np.multiply(n, dh, out=n)  # dn
        np.copyto(dh, x)
        np.multiply(n, r, out=x)  # du_n
        np.multiply(slope[0], u_n, out=r)
        np.multiply(r, n, out=r)  # dr
        np.copyto(u_n, x)


def sigmoid(x: Array) -> None:
    """Apply 1 / (1 + e^-x) in place, as (1 + tanh(x / 2)) / 2: tanh is vectorised, no overflow."""
    np.multiply(x, 0.5, out=x)
    np.tanh(x, out=x)
    np.multiply(x, 0.5, out=x)
    np.add(x, 0.5, out=x)


CELLS: dict[str, type[Cell]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
