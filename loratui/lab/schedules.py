"""Whether a model's noise schedule is one that is trained and drawn with here: that of DDPM, in discrete steps.

Its configs come from many samplers, which differ in how they draw and share how a model was trained. One of another
kind, read as if it were of this, would train to the end without a word, and wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loratui.lab.errors import LabError
from loratui.lab.plain import plain

PREDICTIONS = ("epsilon", "v_prediction")
_BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")
_MOST_TIMESTEPS = 100_000
_SAMPLERS = tuple(
    f"{name}Scheduler"
    for name in (
        "DDIM", "DDIMInverse", "DDIMParallel", "DDPM", "DDPMParallel", "DEISMultistep", "DPMSolverMultistep",
        "DPMSolverMultistepInverse", "DPMSolverSDE", "DPMSolverSinglestep", "EulerAncestralDiscrete", "EulerDiscrete",
        "HeunDiscrete", "KDPM2AncestralDiscrete", "KDPM2Discrete", "LCM", "LMSDiscrete", "PNDM", "SASolver", "TCD",
        "UniPCMultistep",
    )
)  # fmt: skip


def refuse_other_schedule(config: Mapping[str, Any], file: Path) -> None:
    """LabError, naming the file, the value and what is supported, for a schedule of another kind."""
    sampler, prediction = config.get("_class_name"), config.get("prediction_type", "epsilon")
    betas, steps = config.get("beta_schedule", "linear"), config.get("num_train_timesteps", 1000)
    trained = config.get("trained_betas")
    flow = {
        "_class_name": "FlowMatch" in str(sampler),
        "prediction_type": prediction == "flow_prediction",
        "use_flow_sigmas": config.get("use_flow_sigmas"),
    }
    if any(flow.values()):
        key = next(key for key, found in flow.items() if found)
        why = f"{key} = {_shown(config[key])}: a flow model, which is not supported yet; {_among(PREDICTIONS)} are"
    elif sampler is not None and sampler not in _SAMPLERS:
        why = f"_class_name = {_shown(sampler)} is not supported; samplers of DDPM's schedule are, as DDIMScheduler"
    elif prediction not in PREDICTIONS:
        why = f"prediction_type = {_shown(prediction)} is not supported; {_among(PREDICTIONS)} are"
    elif betas not in _BETAS:
        why = f"beta_schedule = {_shown(betas)} is not supported; {_among(_BETAS)} are"
    elif type(steps) is not int or not 1 <= steps <= _MOST_TIMESTEPS:
        why = f"num_train_timesteps = {_shown(steps)} cannot be; it is a whole number, usually 1000"
    elif trained is not None and not _are_betas(trained, steps):
        why = f"trained_betas cannot be; it is null, or {steps} numbers between 0 and 1"
    elif not _are_betas([config.get("beta_start", 0.0001), config.get("beta_end", 0.02)], 2):
        why = "beta_start or beta_end cannot be; both are numbers between 0 and 1"
    else:
        return
    raise LabError(f"{plain(file)}: {why}")


def _are_betas(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) in (int, float) and 0 < value < 1 for value in values)
    )


def _shown(value: Any) -> str:
    return plain(repr(value), 80)


def _among(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
