"""A figure beside its bar: how every benchmark reports, and what decides its exit code."""

import operator

COMPARISONS = {"at least": operator.ge, "at most": operator.le, "under": operator.lt}


def passes(claim: str, figure: float, comparison: str, bar: float) -> bool:
    """Print whether the figure meets its bar, "at least", "at most" or "under" a number."""
    passed = COMPARISONS[comparison](figure, bar)
    print(f"{'met' if passed else 'MISSED':6}  {claim}: {figure:.2f} (bar: {comparison} {bar:g})")
    return passed
