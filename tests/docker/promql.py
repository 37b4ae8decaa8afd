"""What a PromQL expression names."""

import re
from collections.abc import Mapping

SCRAPED = frozenset({"instance", "job"})
"""Labels that Prometheus adds."""
SELECTOR = re.compile(r"\b(mainmask_\w+)\s*(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def names(expression: str) -> set[str]:
    """The metrics of ours."""
    return {found[1] for found in SELECTOR.finditer(expression)}


def unknown(expression: str, known: Mapping[str, set[str]]) -> set[str]:
    """The metrics and labels that it names and nobody exports; `known` has the labels by name."""
    wrong = names(expression) - known.keys()
    for name, matchers in SELECTOR.findall(expression):
        wrong |= set(MATCHER.findall(matchers)) - known.get(name, set()) - SCRAPED
    return wrong | (groupings(expression) - labels(expression, known))


def groupings(expression: str) -> set[str]:
    """The labels that it groups by."""
    return {label.strip() for found in GROUPING.findall(expression) for label in found.split(",")}


def labels(expression: str, known: Mapping[str, set[str]]) -> set[str]:
    """The labels that its metrics have."""
    return set(SCRAPED).union(*(known.get(name, set()) for name in names(expression)))
