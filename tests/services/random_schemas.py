"""JSON Schemas drawn at random, of the kinds that people write."""

import random
from typing import Any

WORDS = ("name", "age", "é tags", "is_open", 'with "quotes"', "a/b", "unit", "total", "x", "path\\to")


class RandomSchemas:
    """A source of schemas; the same seed gives the same ones. Most of their answers are short."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._definitions: dict[str, Any] = {}

    def schema(self) -> dict[str, Any]:
        """A schema of its own, with definitions where it refers to some."""
        self._definitions = {}
        schema = self._object(0) if self._random.random() < 0.8 else self._any(0)
        return {**schema, "$defs": self._definitions} if self._definitions else schema

    def _any(self, depth: int) -> dict[str, Any]:
        leaves = [self._number, self._integer, self._string, self._values, self._pattern, self._format, self._simple]
        nested = [self._object, self._array, self._tuple, self._union, self._tagged, self._both, self._reference]
        maker = self._random.choice(leaves if depth > 2 or self._random.random() < 0.5 else nested)
        return maker(depth)

    def _object(self, depth: int) -> dict[str, Any]:
        names = self._random.sample(WORDS, self._random.randint(0, 4))
        schema: dict[str, Any] = {"type": "object", "properties": {name: self._any(depth + 1) for name in names}}
        if names and self._random.random() < 0.8:
            schema["required"] = self._random.sample(names, self._random.randint(0, len(names)))
        if self._random.random() < 0.5:
            schema["additionalProperties"] = False
        elif self._random.random() < 0.3:
            schema["additionalProperties"] = self._integer(depth)
            schema["maxProperties"] = len(names) + 2
        if self._random.random() < 0.2:
            schema["minProperties"] = self._random.randint(0, len(names))
        return schema

    def _array(self, depth: int) -> dict[str, Any]:
        least = self._random.randint(0, 2)
        return {
            "type": "array", "items": self._any(depth + 1), "minItems": least,
            "maxItems": least + self._random.randint(0, 3),
        }  # fmt: skip

    def _tuple(self, depth: int) -> dict[str, Any]:
        first = [self._any(depth + 1) for _ in range(self._random.randint(1, 3))]
        return {"type": "array", "prefixItems": first, "items": self._random.choice([False, {"type": "null"}]),
                "maxItems": len(first) + 1}  # fmt: skip

    def _union(self, depth: int) -> dict[str, Any]:
        return {"anyOf": [self._any(depth + 1) for _ in range(self._random.randint(2, 3))]}

    def _tagged(self, depth: int) -> dict[str, Any]:
        """A union whose members are told apart by a property."""
        options = []
        for tag in self._random.sample(WORDS, 2):
            properties = {"kind": {"const": tag}, "value": self._any(depth + 1)}
            options.append({"type": "object", "properties": properties, "required": ["kind"]})
        return {"oneOf": options}

    def _both(self, depth: int) -> dict[str, Any]:
        """Demands from several schemas on the same value."""
        base = self._object(depth)
        base.pop("additionalProperties", None)
        base.pop("maxProperties", None)
        more = {"properties": {"more": self._any(depth + 1)}, "required": self._random.choice([["more"], []])}
        return {"allOf": [base, more]}

    def _reference(self, depth: int) -> dict[str, Any]:
        name = f"d{len(self._definitions)}"
        if self._random.random() < 0.5:
            self._definitions[name] = {
                "type": "object", "additionalProperties": False, "required": ["next"],
                "properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": f"#/$defs/{name}"}]}},
            }  # fmt: skip
        else:
            self._definitions[name] = {}
            self._definitions[name] = self._any(depth + 1)
        return {"$ref": f"#/$defs/{name}"}

    def _number(self, depth: int) -> dict[str, Any]:
        digits = self._random.randint(0, 4)
        low = round(self._random.uniform(-1000, 1000), digits)
        schema: dict[str, Any] = {"type": "number"}
        if self._random.random() < 0.6:
            schema[self._random.choice(["minimum", "exclusiveMinimum"])] = low
        if self._random.random() < 0.6:
            high = round(low + self._random.choice([0.5, 3, 1000]), digits)
            schema[self._random.choice(["maximum", "exclusiveMaximum"])] = high + 1
        return schema

    def _integer(self, depth: int) -> dict[str, Any]:
        low = self._random.randint(-(10 ** self._random.randint(0, 5)), 10 ** self._random.randint(0, 5))
        bounds = {"minimum": low, "maximum": low + self._random.choice([0, 7, 12345])}
        return {"type": "integer", **{name: bounds[name] for name in bounds if self._random.random() < 0.7}}

    def _string(self, depth: int) -> dict[str, Any]:
        least = self._random.randint(0, 5)
        return {"type": "string", "minLength": least, "maxLength": least + self._random.randint(0, 12)}

    def _pattern(self, depth: int) -> dict[str, Any]:
        patterns = ["^[A-Z]{2}\\d{1,4}$", "^(foo|bar)[^a-z]?$", "^\\w{1,8}\\.(py|ts)$", '^"x"\\\\$', "^[a-f]+$"]
        return {"type": "string", "pattern": self._random.choice(patterns), "maxLength": 12}

    def _format(self, depth: int) -> dict[str, Any]:
        return {"type": "string", "format": self._random.choice(["date", "time", "date-time", "uuid", "ipv4"])}

    def _values(self, depth: int) -> dict[str, Any]:
        values = ["red", "grün", 'a "b"', "", None, True, 1, 2.5, [1, "x"], {"k": [None]}, "line\nbreak", "tab\there"]
        if self._random.random() < 0.3:
            return {"const": self._random.choice(values)}
        return {"enum": self._random.sample(values, self._random.randint(1, 4))}

    def _simple(self, depth: int) -> dict[str, Any]:
        return {"type": self._random.choice(["boolean", "null", "integer", ["integer", "null"], ["boolean", "number"]])}
