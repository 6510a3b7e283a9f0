"""Why deals end: what buyers say, and what sellers write instead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

LOST_REASONS = ("Competitor", "Price", "Missing feature", "Stayed with incumbent")
NO_DECISION_REASONS = ("No decision", "Budget withdrawn", "Project postponed")
REASONS = LOST_REASONS + NO_DECISION_REASONS
WON_REASONS = ("Product fit", "Relationship", "Price", "Speed")

_SELLERS_WRITE = (
    # Competitor, Price, Feature, Incumbent, No decision, Budget, Postponed
    (0.62, 0.26, 0.05, 0.02, 0.01, 0.02, 0.02),  # Competitor
    (0.06, 0.84, 0.03, 0.02, 0.01, 0.03, 0.01),  # Price
    (0.08, 0.20, 0.66, 0.02, 0.01, 0.01, 0.02),  # Missing feature
    (0.10, 0.18, 0.04, 0.56, 0.05, 0.03, 0.04),  # Stayed with incumbent
    (0.02, 0.08, 0.01, 0.03, 0.66, 0.10, 0.10),  # No decision
    (0.01, 0.11, 0.01, 0.01, 0.07, 0.72, 0.07),  # Budget withdrawn
    (0.01, 0.05, 0.01, 0.02, 0.12, 0.07, 0.72),  # Project postponed
)


class ReasonModel(BaseModel):
    """True (buyers') reasons and how sellers write them down.

    Parameters
    ----------
    lost, no_decision : tuple of float
        Shares of the true reasons of lost and undecided deals, in the order of `LOST_REASONS`, `NO_DECISION_REASONS`.
    sellers_write : tuple of tuple of float
        The confusion matrix: per true reason (row, order of `REASONS`) the probability of each reason in the CRM. Its
        off-diagonal blocks are deals that are recorded under the other outcome.
    blank : float
        Share of closings without a reason; a share `filled_later` of those gets one a few weeks later.
    reviewed : float
        Share of closed deals on which both buyer and seller are interviewed; buyers give the true reason.
    won, won_agreement : tuple of float, float
        Shares of the true reasons of won deals (`WON_REASONS`); the probability that a seller names the same one,
        the others being equally likely.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    lost: tuple[float, ...] = (0.36, 0.24, 0.22, 0.18)
    no_decision: tuple[float, ...] = (0.44, 0.3, 0.26)
    sellers_write: tuple[tuple[float, ...], ...] = _SELLERS_WRITE
    blank: float = Field(default=0.07, ge=0, le=1)
    filled_later: float = Field(default=0.3, ge=0, le=1)
    reviewed: float = Field(default=0.12, ge=0, le=1)
    won: tuple[float, ...] = (0.4, 0.25, 0.2, 0.15)
    won_agreement: float = Field(default=0.55, ge=0, le=1)

    @model_validator(mode="after")
    def _shares(self) -> ReasonModel:
        rows = (self.lost, self.no_decision, self.won, *self.sellers_write)
        if any(abs(sum(row) - 1) > 1e-9 for row in rows):
            raise ValueError("every row of shares must sum to 1")
        if len(self.sellers_write) != len(REASONS) or any(len(row) != len(REASONS) for row in self.sellers_write):
            raise ValueError(f"sellers_write needs {len(REASONS)} rows of {len(REASONS)}")
        return self

    def confusion(self) -> npt.NDArray[np.float64]:
        """Rows: the buyer's reason; columns: what the seller writes; both in the order of `REASONS`."""
        return np.array(self.sellers_write)

    def won_confusion(self) -> npt.NDArray[np.float64]:
        """Return the same for won deals, in the order of `WON_REASONS`."""
        n = len(WON_REASONS)
        other = (1 - self.won_agreement) / (n - 1)
        return np.full((n, n), other) + np.eye(n) * (self.won_agreement - other)


TRUTHFUL = tuple(tuple(float(i == j) for j in range(len(REASONS))) for i in range(len(REASONS)))
"""The confusion matrix of sellers who write what the buyer says."""
