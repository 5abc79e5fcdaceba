"""What is measured: one module for each section, whose `measure` returns the cases."""

from __future__ import annotations

LANGUAGE_MODEL = "smollm2-135m"
ENCODER = "minilm-l6"

SECTIONS: dict[str, tuple[str, ...]] = {
    "forward": (LANGUAGE_MODEL,),
    "encoder": (ENCODER,),
    "generation": (LANGUAGE_MODEL,),
    "profile": (LANGUAGE_MODEL, ENCODER),
    "memory": (LANGUAGE_MODEL,),
    "simulator": (LANGUAGE_MODEL,),
    "calibration": (LANGUAGE_MODEL,),
    "fitting": (LANGUAGE_MODEL, ENCODER),
    "time_steps": (LANGUAGE_MODEL,),
    "levels": (LANGUAGE_MODEL,),
    "width": (),
    "compile": (LANGUAGE_MODEL,),
    "gpu": (),
}
"""The sections in the order of the table, and the trained models that each needs."""
