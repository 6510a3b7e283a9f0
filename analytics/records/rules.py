"""Outcome rules: what counts as no decision. It is a rule of the study, not a status of the CRM."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

InferredKind = Literal["silent", "pushed", "aged"]
NoDecisionKind = Literal["declared", "silent", "pushed", "aged"]

INFERRED_KINDS: tuple[InferredKind, ...] = ("silent", "pushed", "aged")
"""Inferred rules in the order that breaks ties when several fire on the same day."""

_RULE_FIELDS: dict[str, str] = {"silent": "silent_days", "pushed": "pushed_times", "aged": "older_than_days"}


class OutcomeRules(BaseModel):
    """Which lost or dormant deals ended in no decision.

    Parameters
    ----------
    no_decision_reasons : tuple of str
        Loss reasons that say nobody was chosen (*declared* no-decision). Compared without regard to case and to
        blanks around them.
    silent_days : int, optional
        *Inferred*: an open deal without a known activity for this many days.
    pushed_times : int, optional
        *Inferred*: an open deal past its expected close date, which had been moved later this many times.
    older_than_days : int, optional
        *Inferred*: an open deal older than this many days.

    Notes
    -----
    Declared and inferred no-decisions stay apart: the headline is declared only, the inferred rules make the range.
    An inferred rule fires on the first day on which it could have been known (see `snapshot`), so that a later
    snapshot never rewrites an earlier one.

    Examples
    --------
    >>> rules = OutcomeRules(no_decision_reasons=("No Decision",), silent_days=120)
    >>> rules.inferred_kinds, rules.declared_only().inferred_kinds
    (('silent',), ())
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    no_decision_reasons: tuple[str, ...] = ()
    silent_days: int | None = Field(default=None, ge=1)
    pushed_times: int | None = Field(default=None, ge=1)
    older_than_days: int | None = Field(default=None, ge=0)

    @field_validator("no_decision_reasons")
    @classmethod
    def _reasons_say_something(cls, reasons: tuple[str, ...]) -> tuple[str, ...]:
        if any(not reason.strip() for reason in reasons):
            raise ValueError("an empty no-decision reason would turn every lost deal without a reason into one")
        return reasons

    @property
    def inferred_kinds(self) -> tuple[InferredKind, ...]:
        """The inferred rules that are switched on, in tie-breaking order."""
        return tuple(kind for kind in INFERRED_KINDS if getattr(self, _RULE_FIELDS[kind]) is not None)

    @property
    def reason_keys(self) -> tuple[str, ...]:
        """The no-decision reasons as they are compared: stripped, lower case, each once, sorted."""
        return tuple(sorted({reason.strip().lower() for reason in self.no_decision_reasons}))

    @property
    def hash(self) -> str:
        """Short SHA-256 of what the rules mean (order, case and repetition of reasons do not matter).

        Examples
        --------
        >>> OutcomeRules(no_decision_reasons=("Timing",)).hash == OutcomeRules(no_decision_reasons=(" timing ",)).hash
        True
        """
        meaning = self.model_dump(exclude={"no_decision_reasons"}) | {"no_decision_reasons": self.reason_keys}
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]

    def declared_only(self) -> OutcomeRules:
        """Return the same rules with the inferred ones switched off: the rules of every headline.

        Examples
        --------
        >>> OutcomeRules(silent_days=90).declared_only().silent_days is None
        True
        """
        return OutcomeRules(no_decision_reasons=self.no_decision_reasons)

    def only(self, kind: NoDecisionKind) -> OutcomeRules:
        """Return the declared reasons and one inferred rule: one end of the no-decision range.

        Raises
        ------
        ValueError
            When `kind` is not a rule, or is not switched on.

        Examples
        --------
        >>> OutcomeRules(silent_days=90, older_than_days=400).only("aged").inferred_kinds
        ('aged',)
        """
        if kind == "declared":
            return self.declared_only()
        if kind not in self.inferred_kinds:
            raise ValueError(
                f"the rule {kind!r} is not switched on; these are: {', '.join(self.inferred_kinds) or 'none'}"
            )
        field = _RULE_FIELDS[kind]
        return OutcomeRules.model_validate(
            {"no_decision_reasons": self.no_decision_reasons, field: getattr(self, field)}
        )
