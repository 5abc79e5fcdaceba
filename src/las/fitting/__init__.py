"""Fitting HG neurons to the functions of a transformer, to an error budget."""

from las.fitting.fit import Fit, fit
from las.fitting.flat import fit_flat
from las.fitting.functions import FUNCTIONS, Budget, Function
from las.fitting.model_functions import FittedFunctions, fit_functions

__all__ = [
    "FUNCTIONS",
    "Budget",
    "Fit",
    "FittedFunctions",
    "Function",
    "fit",
    "fit_flat",
    "fit_functions",
]
