"""`--set optim.epochs=1`: one value of a recipe, by its path."""

import ast
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args, get_origin, get_type_hints

Recipe = TypeVar("Recipe")

_KINDS: Mapping[object, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    tuple: "values in brackets, as (0.5, 1.0)",
}


def override(recipe: Recipe, assignment: str) -> Recipe:
    """A copy of a recipe with one value changed.

    Args:
        recipe: a frozen dataclass, perhaps nested.
        assignment: `path=value`, dots between nested names; the value is a Python literal, or text without quotes;
            `None` where the recipe allows it.

    Raises:
        ValueError: no `=`, an unknown name, or a value of another type than the one it replaces.
    """
    path, separator, text = assignment.partition("=")
    if not separator:
        raise ValueError(f"--set {assignment}: expected key=value")
    return cast("Recipe", _replaced(recipe, path.split("."), text, assignment))


def _replaced(recipe: object, path: list[str], text: str, assignment: str) -> object:
    name, *rest = path
    known = [field.name for field in fields(recipe)] if is_dataclass(recipe) else []
    if name not in known or not is_dataclass(recipe) or isinstance(recipe, type):
        raise ValueError(f"--set {assignment}: no {name!r} here; there are {', '.join(known) or 'no names'}")
    old = getattr(recipe, name)
    hint = get_type_hints(type(recipe))[name]
    if not rest and text == "None" and type(None) in get_args(hint):
        return replace(recipe, **{name: None})
    value = _replaced(old, rest, text, assignment) if rest else _parsed(text, old, hint, assignment)
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"--set {assignment}: it is one of {', '.join(map(str, get_args(hint)))}")
    return replace(recipe, **{name: value})


def _parsed(text: str, old: object, hint: object, assignment: str) -> object:
    if isinstance(old, Enum):
        known = [str(member.value) for member in type(old)]
        if text not in known:
            raise ValueError(f"--set {assignment}: it is one of {', '.join(known)}")
        return type(old)(text)
    if isinstance(old, str):
        return text
    if isinstance(old, Path):
        return Path(text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"--set {assignment}: expected {_kind(old, hint)}") from error
    if isinstance(old, float) and type(value) is int:
        return float(value)
    if old is not None and type(value) is not type(old):
        raise ValueError(f"--set {assignment}: expected {_kind(old, hint)}")
    return value


def _kind(old: object, hint: object) -> str:
    """What is wanted in place of a value, in words."""
    is_optional = type(None) in get_args(hint)
    kinds = [part for part in get_args(hint) if part is not type(None)] if is_optional else [type(old)]
    words = " or ".join(_KINDS.get(get_origin(kind) or kind, "a Python literal") for kind in kinds)
    return f"{words}, or None" if is_optional else words
