"""Infinitesimal-jackknife influence of every account (or deal) on incidence, survival and mean time.

The influence of a deal on F_k(t) has the form `P + F_k(t) Q - R G_k(t)`, where P, Q, R belong to the deal and change
only when it enters and when it leaves, and G_k belongs to time. So the influence of an account is a short list of
changes, and the sum of squares over accounts needs only running sums of six products: the work is linear in deals and
times, whatever the number of accounts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.estimators.aalen_johansen import Curve, Rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Changes:
    """The changes of P, Q, R of one stratum, and the functions of time that they meet.

    `unit` (account or cell), `index` (place on the time axis), `p` `(changes, K+1)`, `q`, `r`; `f` and `g` `(T, K+1)`.
    The last column stands for any outcome, so that survival is minus its influence. `multiplicity` is per unit.
    """

    unit: Ints
    index: Ints
    p: Floats
    q: Floats
    r: Floats
    f: Floats
    g: Floats
    multiplicity: Floats

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.multiplicity)


def changes_of(curve: Curve, rows: Rows) -> Changes:
    """Return the influence of each unit as changes; without accounts every cell is a unit of `w2 = n w^2` weight.

    With a = S-/n, b = 1/((1 - l) n), A = sum of a l_k + F_k b l, B = sum of b l (all over times up to t), a deal
    (e, x, cause s) has U = 1{s=k} a(x) - 1{s>0} (F_k(t) - F_k(x)) b(x) - (A(x) - A(e)) + F_k(t) (B(x) - B(e)) once it
    has left, and U = -(A(t) - A(e)) + F_k(t) (B(t) - B(e)) while it is at risk. Same value as R survfit's robust
    standard error; van der Vaart (1998) ch. 20, Therneau & Grambsch (2000) sec. 7.
    """
    lam_any = curve.hazard_any
    lam = np.column_stack([curve.hazard, lam_any])
    f = np.column_stack([curve.incidence, 1.0 - curve.survival])
    n = curve._risk()
    a = curve.before / n
    b = np.where(lam_any < 1, 1.0 / (n * np.where(lam_any < 1, 1 - lam_any, 1.0)), 0.0)
    big_a = np.vstack([np.zeros((1, f.shape[1])), np.cumsum(a[:, None] * lam + f * (b * lam_any)[:, None], axis=0)])
    big_b = np.concatenate(([0.0], np.cumsum(b * lam_any)))
    first, last, cause = curve.first, curve.last, curve.cause
    event = cause >= 0
    p_in, q_in = big_a[first], -big_b[first]
    p_out = big_a[first] - big_a[last + 1] + np.where(event, b[last], 0.0)[:, None] * f[last]
    ended = np.flatnonzero(event)
    p_out[ended, cause[ended]] += a[last[ended]]
    p_out[ended, -1] += a[last[ended]]
    q_out = big_b[last + 1] - big_b[first] - np.where(event, b[last], 0.0)
    g = big_a[1:] - f * big_b[1:, None]
    if rows.account is None:
        unit, scale = np.arange(len(rows.w)), np.ones(len(rows.w))
        multiplicity = rows.w2.astype(float)
    else:
        unit, scale, multiplicity = rows.account, rows.w.astype(float), np.ones(rows.accounts)
    return Changes(
        np.concatenate([unit, unit]), np.concatenate([first, last]),
        np.concatenate([p_in * scale[:, None], (p_out - p_in) * scale[:, None]]),
        np.concatenate([q_in * scale, (q_out - q_in) * scale]), np.concatenate([scale, -scale]).astype(float),
        f, g, multiplicity,
    )  # fmt: skip


def jackknife_variance(changes: Changes) -> Floats:
    """Return the sum of squared influences at every time, `(T, K+1)`, without any correction for few units."""
    size = len(changes.f)
    order = np.argsort(changes.unit * (size + 1) + changes.index, kind="stable")
    unit, index = changes.unit[order], changes.index[order]
    start = np.flatnonzero(np.concatenate(([True], unit[1:] != unit[:-1]))) if len(unit) else np.empty(0, np.int64)
    weight = changes.multiplicity[unit]

    def states(values: Floats) -> tuple[Floats, Floats]:
        """Running total within each unit, after and before each change."""
        total = np.cumsum(values)
        base = np.concatenate(([0.0], total))[start]
        after = total - np.repeat(base, np.diff(np.append(start, len(total))))
        before = np.concatenate(([0.0], after[:-1]))
        before[start] = 0.0
        return after, before

    def running(x: tuple[Floats, Floats], y: tuple[Floats, Floats]) -> Floats:
        moved = weight * (x[0] * y[0] - x[1] * y[1])
        return np.asarray(np.cumsum(np.bincount(index, weights=moved, minlength=size)[:size]))

    q, r = states(changes.q[order]), states(changes.r[order])
    qq, qr, rr = running(q, q), running(q, r), running(r, r)
    variance = np.empty_like(changes.f)
    for k in range(changes.f.shape[1]):
        p, f, g = states(changes.p[order, k]), changes.f[:, k], changes.g[:, k]
        variance[:, k] = running(p, p) + f * f * qq + g * g * rr
        variance[:, k] += 2 * (f * running(p, q) - g * running(p, r) - f * g * qr)
    return np.maximum(variance, 0.0)


def influence_at(changes: Changes, index: int) -> Floats:
    """Return the influence of every unit at one place of the time axis, `(units, K+1)`."""
    keep = changes.index <= index
    unit, size = changes.unit[keep], changes.units
    q = np.bincount(unit, weights=changes.q[keep], minlength=size)
    r = np.bincount(unit, weights=changes.r[keep], minlength=size)
    columns = []
    for k in range(changes.f.shape[1]):
        p = np.bincount(unit, weights=changes.p[keep, k], minlength=size)
        columns.append(p + changes.f[index, k] * q - changes.g[index, k] * r)
    return np.column_stack(columns)


def influence_integrated(changes: Changes, step: Floats) -> Floats:
    """Return the influence on the integral of each incidence, `(units, K+1)`; `step` is the days spent at each time."""

    def remaining(values: Floats) -> Floats:
        return np.concatenate((np.cumsum((values * step)[::-1])[::-1], [0.0]))

    days = remaining(np.ones_like(step))
    columns = []
    for k in range(changes.f.shape[1]):
        value = changes.p[:, k] * days[changes.index]
        value = value + changes.q * remaining(changes.f[:, k])[changes.index]
        value = value - changes.r * remaining(changes.g[:, k])[changes.index]
        columns.append(np.bincount(changes.unit, weights=value, minlength=changes.units))
    return np.column_stack(columns)
