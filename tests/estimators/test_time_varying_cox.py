"""Covariates that change while a deal is open: several rows of a deal in `cause_specific_cox`, as R's coxph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analytics.estimators.hazards.models import cause_specific_cox

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VALUES = {key: entry["value"] for key, entry in json.loads((GOLDEN / "syn_tdc.json").read_text()).items()}


def asked(key: str) -> dict[str, Any]:
    how: dict[str, Any] = {"ties": "breslow" if "breslow" in key else "efron", "outcome": "c1"}
    if "cause" in key:
        how["outcome"] = "c" + key.split("cause")[1][0]
    if "cluster_id" in key:
        how["cluster"] = "id"
    if "weights" in key:
        how["weights"] = "pw"
    if "strata" in key:
        how["strata"] = ["grp"]
    return how


@pytest.mark.parametrize("key", [key for key in VALUES if key.startswith("cox_td")])
def test_cox_with_covariates_that_change(key: str) -> None:
    frame = pd.read_csv(GOLDEN / "inputs" / "syn_tdc.csv").rename(columns={"start": "entry", "stop": "exit"})
    frame["outcome"] = np.where(frame["status"] == 0, "open", "c" + frame["status"].astype(str))
    mine = cause_specific_cox(frame, "x + z", **asked(key)).coefficients.frame.set_index("term")
    r = VALUES[key]
    assert mine["estimate"].to_dict() == pytest.approx(r["coef"], abs=1e-11)
    assert mine["std_error"].tolist() == pytest.approx(r.get("robust_se") or r["se"], abs=1e-11)
