"""Holds what went over the wire against Discord's own OpenAPI description, where that lies beside the checkout."""

import copy
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.playground.loopback import RecordedRequest

DESCRIPTION = Path(__file__).parents[2] / "shared" / "data" / "discord-openapi-v10.json"
ABSENT = f"Discord's OpenAPI description is not at hand: no {DESCRIPTION.name} beside the checkout"
# The loopback answered these to a body that was wrong on purpose, or so wrong that it noticed by itself.
REFUSED_BODIES = {50006, 50035, 50109}
# Rate limits have a schema of their own; everything else that Discord refuses shares one.
RATE_LIMITED, FIRST_REFUSAL = 429, 400

described = pytest.mark.skipif(not DESCRIPTION.exists(), reason=ABSENT)
Side = Literal["request", "answer"]


def validate_record(requests: Iterable[RecordedRequest]) -> int:
    """Raise AssertionError unless all bodies and answers are as Discord describes them; how many were held.

    Skips the test that calls it where the description is absent. Answers that a fault spoiled are left out.
    """
    if not DESCRIPTION.exists():
        pytest.skip(ABSENT)
    held, wrong = 0, []
    for request in requests:
        for side, schema, value in _sides(request):
            held += 1
            error = _fault(side, schema, json.dumps(value, sort_keys=True))
            if error is not None:
                wrong.append(f"{side} of {request.method} {request.route} ({request.status}): {error}")
    assert not wrong, "not as Discord describes it:\n" + "\n".join(wrong)
    return held


def validate_object(name: str, value: Any) -> None:
    """Hold one JSON object against a schema of the description, by its name ("MessageResponse")."""
    if not DESCRIPTION.exists():
        pytest.skip(ABSENT)
    error = _fault("answer", f"/components/schemas/{name}", json.dumps(value))
    assert error is None, f"{name}: {error}"


def _sides(request: RecordedRequest) -> Iterator[tuple[Side, str, Any]]:
    operation = f"/paths/{request.route.replace('/', '~1')}/{request.method.lower()}"
    described = _lookup(operation)
    if described is None:
        assert request.status in (401, 404, None), f"Discord has no {request.method} {request.route}"
        return
    code = (request.answer or {}).get("code") if isinstance(request.answer, dict) else None
    if request.body is not None and code not in REFUSED_BODIES:
        assert "requestBody" in described, f"{request.method} {request.route} takes no body"
        yield "request", f"{operation}/requestBody/content/application~1json/schema", request.body
    if request.fault is None and request.answer is not None:
        yield "answer", _answer_schema(operation, described, request.status or 0), request.answer


def _answer_schema(operation: str, described: dict[str, Any], status: int) -> str:
    if status == RATE_LIMITED:
        return "/components/schemas/RatelimitedResponse"
    if status >= FIRST_REFUSAL:
        return "/components/schemas/ErrorResponse"
    assert str(status) in described["responses"], f"{operation} never answers {status}"
    return f"{operation}/responses/{status}/content/application~1json/schema"


@cache
def _fault(side: Side, pointer: str, text: str) -> str | None:
    error: ValidationError | None = best_match(_validator(side, pointer).iter_errors(json.loads(text)))
    return None if error is None else f"{error.json_path}: {error.message[:300]}"


@cache
def _validator(side: Side, pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"urn:discord:{side}#{pointer}"}, registry=_registry(side))


@cache
def _registry(side: Side) -> Registry[Any]:
    description = copy.deepcopy(_description())
    schemas = description["components"]["schemas"]
    # Where the description is narrower than Discord itself: it takes ids as numbers, there are forwards, and the
    # errors inside of an error body carry words as their codes (documentation, "Error Messages").
    schemas["MessageReferenceType"] = {"enum": [0, 1]}
    if side == "request":
        schemas["SnowflakeType"] = {"type": ["string", "integer"]}
    schemas["InnerErrors"]["properties"]["_errors"]["items"] = {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    }
    resource = Resource(contents=description, specification=DRAFT202012)
    return Registry().with_resource(f"urn:discord:{side}", resource)


@cache
def _description() -> dict[str, Any]:
    description: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return description


def _lookup(pointer: str) -> dict[str, Any] | None:
    place: Any = _description()
    for name in pointer.split("/")[1:]:
        place = place.get(name.replace("~1", "/"))
        if place is None:
            return None
    found: dict[str, Any] = place
    return found
