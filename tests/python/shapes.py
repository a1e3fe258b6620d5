"""Holds JSON against the types of a vendor's own package, more strictly than the package does: nothing may be there that the
types do not name. typed.py asks it for requests, whose types are TypedDicts, and for answers, which are pydantic models.
"""

import collections.abc
import functools
import json
import types
import typing

import pydantic

UNIONS = (typing.Union, types.UnionType)
LISTS = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
MAPPINGS = (dict, collections.abc.Mapping)
# A number without a fraction may stand for one with it.
PLAIN = {str: str, bool: bool, int: int, float: (int, float), type(None): type(None)}


def wrong(value, wanted, known=(), at=""):
    """The first thing about the value that is not as wanted, with its JSON pointer; none where all is well. `known` are
    members beyond the types, as `Type.member`.
    """
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if isinstance(wanted, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):
        return wrong(value, wanted.__value__, known, at)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired) or str(origin).endswith("Required"):
        return wrong(value, arguments[0], known, at)
    if origin in UNIONS:
        return wrong_in_all(value, arguments, known, at)
    if origin is typing.Literal:
        return None if value in arguments else f"{at}: {value!r} is none of {arguments}"
    if wanted in (typing.Any, object):
        return None
    if typing.is_typeddict(wanted) or getattr(wanted, "__total__", None) is not None:
        return wrong_object(value, wanted, known, at)
    if origin in LISTS or wanted in LISTS:
        return wrong_list(value, arguments, known, at)
    if origin in MAPPINGS or wanted in MAPPINGS:
        return None if isinstance(value, dict) else f"{at}: {value!r} is no object"
    if wanted in PLAIN:
        # Python's own rule would let true be a number.
        fits = isinstance(value, PLAIN[wanted]) and (wanted is bool or not isinstance(value, bool))
        return None if fits else f"{at}: {value!r} is no {wanted.__name__}"
    # Files and the like, which JSON does not have.
    return f"{at}: {value!r} is no {wanted}"


def wrong_in_all(value, variants, known, at):
    """The variant that comes furthest tells what is wrong."""
    found = [wrong(value, variant, known, at) for variant in variants]
    if None in found:
        return None
    return max(found, key=lambda problem: (problem.split(":")[0].count("/"), "no member" in problem))


def wrong_object(value, wanted, known, at):
    if not isinstance(value, dict):
        return f"{at}: {value!r} is no object"
    members = typing.get_type_hints(wanted, include_extras=True)
    # What says which variant it is comes first, so that another variant is told from this one that is wrong within.
    kinds = [name for name in ("type", "role") if name in members]
    for name in kinds + [name for name in value if name not in kinds]:
        if name not in members and f"{wanted.__name__}.{name}" in known:
            continue
        if name not in members:
            return f"{at}: no member {name!r} in {wanted.__name__}"
        if name in value:
            problem = wrong(value[name], members[name], known, f"{at}/{name}")
            if problem:
                return problem if name not in kinds else f"{at}: {problem}"
    missing = wanted.__required_keys__ - value.keys()
    return f"{at}: {sorted(missing)} missing in {wanted.__name__}" if missing else None


def wrong_list(value, arguments, known, at):
    if not isinstance(value, list):
        return f"{at}: {value!r} is no list"
    problems = (wrong(item, arguments[0], known, f"{at}/{index}") for index, item in enumerate(value) if arguments)
    return next((problem for problem in problems if problem), None)


def wrong_answer(value, model, known=()):
    """The same for an answer."""
    try:
        read = adapter(chosen(model, value)).validate_json(json.dumps(value, ensure_ascii=False), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        return f"/{'/'.join(map(str, first['loc']))}: {first['msg']}"
    return unknown_member(read, known, "")


@functools.cache
def adapter(model):
    return pydantic.TypeAdapter(model)


@functools.cache
def variants(model):
    """The models of a union by their `type`."""
    while typing.get_origin(model) is typing.Annotated:
        model = typing.get_args(model)[0]
    models = typing.get_args(model) if typing.get_origin(model) in UNIONS else ()
    return {kind: variant for variant in models for kind in typing.get_args(variant.model_fields["type"].annotation)}


def chosen(model, value):
    """Which of a union's models is the value's: pydantic would try them all and tell of the last."""
    return variants(model).get(value.get("type"), model) if isinstance(value, dict) else model


def unknown_member(read, known, at):
    if isinstance(read, list):
        found = (unknown_member(item, known, f"{at}/{index}") for index, item in enumerate(read))
        return next((problem for problem in found if problem), None)
    if not isinstance(read, pydantic.BaseModel):
        return None
    kind = type(read).__name__
    extra = [name for name in read.model_extra or {} if f"{kind}.{name}" not in known]
    if extra:
        return f"{at}: no member {extra[0]!r} in {kind}"
    found = (unknown_member(getattr(read, name), known, f"{at}/{name}") for name in type(read).model_fields)
    return next((problem for problem in found if problem), None)
