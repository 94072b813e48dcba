"""What we use of prometheus-operator's ``monitoring.coreos.com/v1``, as JSON schemas that refuse everything else.

Written by hand, and not compared with the definitions of a release: no cluster has taken these objects yet. The
reference is https://prometheus-operator.dev/docs/api-reference/api/.
"""

from typing import Any, Final

API: Final = "monitoring.coreos.com/v1"

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
DURATION: Final[Schema] = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d|w|y))+$"}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}


def only(required: str, **properties: Schema) -> Schema:
    """An object of these properties and no others."""
    return {
        "type": "object", "properties": properties, "required": required.split(), "additionalProperties": False,
    }  # fmt: skip


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def resource(kind: str, spec: Schema) -> Schema:
    metadata = only("name namespace", name=TEXT, namespace=TEXT, labels=TEXTS)
    return only(
        "apiVersion kind metadata spec", apiVersion={"const": API}, kind={"const": kind}, metadata=metadata, spec=spec
    )


RULE: Final = only("alert expr", alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION})
ENDPOINT: Final = only("port", port=TEXT, path=TEXT, interval=DURATION)
SCHEMAS: Final = {
    "ServiceMonitor": resource(
        "ServiceMonitor",
        only("selector endpoints", selector=only("matchLabels", matchLabels=TEXTS), endpoints=list_of(ENDPOINT)),
    ),
    "PrometheusRule": resource(
        "PrometheusRule", only("groups", groups=list_of(only("name rules", name=TEXT, rules=list_of(RULE))))
    ),
}
