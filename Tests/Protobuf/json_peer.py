"""JSON as PyPI protobuf's json_format has it, beside JSON as Swift has it: the same values, the same messages, the same refusals.

json_peer.py make SETS SEED COUNT OUT      random messages of every type: type, wire, JSON
json_peer.py spoil SETS SEED COUNT OUT     JSON of messages, each changed in one place: type, wire or "refused", JSON, where
json_peer.py judge SETS IN                 reads type, Python's wire or "refused", JSON, Swift's wire or "refused", where,
                                           Swift's path and reason

Records are as in peer.py. Where the JSON was changed, there Swift must say that it is wrong: on the way to it, or within it.
"""

import json
import random
import re
import struct
import sys

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor as Field

import peer

REFUSED = b"refused"
# In place of a path: nothing was changed, and the text is what Swift made of the message.
SAME = "same"
# … : anything may be wrong.
ANYWHERE = "anywhere"
# Characters that are easily confused: é alone and with an accent behind its e, K and the sign of Kelvin, line separators, …
CHARACTERS = ["e\u0301", *"\u00e9\u0301K\u212a\ufb01\u2028\u2029\ufeff\u200d\x7f\x1f\x08\x0c<>&'\"\\/\U0001f468\U0010ffff王小明\u05d0"]
NUMBERS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e16, 1e17, 123456789.123, 5e-324, 1.7976931348623157e308,
           float("nan"), float("inf"), float("-inf")]
VALUES = [
    None, True, False, 0, 1, -1, 7, 2**31 - 1, 2**31, -2**31 - 1, 2**32 - 1, 2**32, 2**63, -2**63 - 1, 2**64, 10**30, 1.5, 1e2,
    -0.0, 3.4028234663852886e38, 3.5e38, 1e308, "", "a", "0", "1", "-1", "00", "01", "1.5", "1.0", "1e2", " 1", "1 ", "+1", "0x1",
    "1_000", "NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "true", "false", "null", "AA==", "AA", "A", "AAA", "-_-_", "+/+/", "A===",
    "A A=", "??", "2026-11-21T08:30:00Z", "2026-11-21T08:30:00.1+08:00", "2026-02-30T00:00:00Z", "2026-11-21", "0000-01-01T00:00:00Z",
    "1.5s", "-0.5s", "0.0000000001s", "315576000001s", "1 s", "s", "a,b", "aB.cD", "a_b", "SEX_FEMALE", "LEVEL_HIGH", "level_high", "nope",
    [], [None], [1], [[]], ["a"], [{}], {}, {"a": 1}, {"value": 1}, {"@type": "type.googleapis.com/no.such.Type"},
]


class JSONPeer(peer.Peer):
    def value(self, field, rng):
        kind = field.cpp_type
        if kind == Field.CPPTYPE_DOUBLE:
            return rng.choice([rng.choice(NUMBERS), struct.unpack("<d", rng.randbytes(8))[0]])
        if kind == Field.CPPTYPE_FLOAT:
            bits = rng.choice([struct.pack("<f", min(max(rng.choice(NUMBERS), -3e38), 3e38)), rng.randbytes(4)])
            return struct.unpack("<f", bits)[0]
        if field.type == Field.TYPE_STRING and rng.random() < 0.5:
            return "".join(rng.choices(CHARACTERS, k=rng.choice([0, 1, 1, 6])))
        return super().value(field, rng)

    def text(self, name, message, **options):
        return json_format.MessageToJson(message, descriptor_pool=self.pools[name], **options)

    def parsed(self, name, text):
        """The wire format of what the text says, or REFUSED."""
        try:
            message = json_format.Parse(text, self.new(name), descriptor_pool=self.pools[name])
            return message.SerializeToString()
        except (json_format.ParseError, UnicodeError, RecursionError):
            return REFUSED

    # Commands

    def make(self, seed, count, out):
        rng = random.Random(int(seed))
        with open(out, "wb") as file:
            for name in self.names:
                for _ in range(int(count)):
                    message = self.new(name)
                    self.fill(message, rng)
                    text = self.text(name, message, indent=rng.choice([None, 2]),
                                     preserving_proto_field_name=rng.random() < 0.2, ensure_ascii=rng.random() < 0.5)
                    peer.write(file, name.encode(), message.SerializeToString(), text.encode())

    def spoil(self, seed, count, out):
        rng = random.Random(int(seed))
        with open(out, "wb") as file:
            for name in self.names:
                for _ in range(int(count)):
                    message = self.new(name)
                    self.fill(message, rng)
                    text, where = self.spoiled(name, json.loads(self.text(name, message)), rng)
                    peer.write(file, name.encode(), self.parsed(name, text), text, where.encode())

    def spoiled(self, name, value, rng):
        """JSON text that differs in one place, and where."""
        whole = [value]
        places = list(walk(whole, 0, ""))
        holder, key, where = rng.choice(places)
        target = holder[key]
        kind = rng.choice(["replace", "replace", "replace", "rename", "add", "twice", "byte"])
        if kind == "byte":
            text = bytearray(json.dumps(value).encode())
            place = rng.randrange(len(text))
            text[place:place + rng.randint(0, 1)] = rng.choice([b"", b",", b'"', b"1", b"e", b"\\", b"{", b"[", b" ", b"\xff"])
            return bytes(text), ANYWHERE
        if kind == "replace" or not isinstance(target, dict):
            holder[key] = rng.choice(VALUES)
        elif kind == "rename" and target:
            old = rng.choice(sorted(target))
            new = rng.choice([re.sub("([A-Z])", lambda found: "_" + found[0].lower(), old), old.upper(), old + "x", old.replace("k", "\u212a")])
            target[new] = target.pop(old)
            where += "." + new
        elif kind == "add":
            fields = [field.json_name for field in self.pools[name].FindMessageTypeByName(name).fields]
            new = rng.choice(fields + ["noSuchField", "@type", ""])
            target[new] = rng.choice(VALUES)
            where += "." + new
        elif kind == "twice" and target:
            old = rng.choice(sorted(target))
            target[old + "#again"] = target[old]
            where += "." + old
        return json.dumps(whole[0]).replace("#again", "").encode(), where

    def judge(self, source):
        wrong = []
        with open(source, "rb") as records:
            while (record := peer.read(records, 7)) is not None and len(wrong) < 6:
                name, wire, text, again, *where = record
                problem = self.difference(name.decode(), wire, text, again, *(one.decode() for one in where))
                if problem:
                    wrong.append(f"{name.decode()}: {problem}")
        print("\n".join(wrong), file=sys.stderr)
        sys.exit(1 if wrong else 0)

    def difference(self, name, wire, text, again, where, path, reason):
        if again == REFUSED and wire != REFUSED:
            value = found(json.loads(text), path)
            return None if is_lax(value, reason) else f"Swift refuses {value!r} at {path}: {reason}"
        if again != REFUSED and wire == REFUSED:
            return f"Swift takes what was changed at {where}: {text[:600].decode(errors='replace')}"
        if wire == REFUSED:
            changed, named = (re.sub(r'[\[\]".]', "", one) for one in (where, path))
            if where != ANYWHERE and not (changed.startswith(named) or named.startswith(changed)):
                return f"changed at {where}, but refused at {path}"
            return None
        if re.search(rb"[0-9.]{16,}[eE]", text) and where != SAME:
            return None  # json_format makes a float of it, which rounds.
        is_, should = (self.settle(self.parse(name, one)) for one in (again, wire))
        # NaN is not equal to itself.
        if is_ != should and str(is_) != str(should):
            return f"the message from JSON is\n{is_}\n-- should be\n{should}\n-- JSON {text[:600]!r}"
        if where == SAME:
            values = [json.loads(one, parse_float=number, parse_int=number) for one in (text, self.text(name, self.parse(name, wire)))]
            if values[0] != values[1]:
                return f"the JSON is\n{values[0]}\n-- should be\n{values[1]}"
        return None


# What the mapping asks for where json_format takes more, by what Swift says: int() takes " +1_0", base64 is read without the
# characters that it lacks, dates by strptime, any sequence for a message or a map that is empty, any number for an enum; a mask may
# hold a path without a name.
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"
STRICT = {
    "is not base64": r"([-_+/A-Za-z0-9]{4})*([-_+/A-Za-z0-9]{2}(==)?|[-_+/A-Za-z0-9]{3}=?)?",
    "expected a time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[-+][0-9]{2}:[0-9]{2})",
    "expected seconds": r"-?[0-9]{1,12}(\.[0-9]{1,9})?s",
    'expected an integer, found "': NUMBER,
    'expected a number, found "': NUMBER + "|NaN|-?Infinity",
    "a path is empty": "[^,]+(,[^,]+)*",
    "has no value \"": "[A-Z][A-Z0-9_]*",
}


def is_lax(value, reason):
    """Whether the mapping does not allow what json_format took."""
    for part, pattern in STRICT.items():
        if part in reason:
            return isinstance(value, str) and re.fullmatch(pattern, value) is None
    if "expected an integer, found a boolean" in reason or "expected a number, found a boolean" in reason:
        return isinstance(value, bool)
    if "is no integer of 32 bits" in reason:
        return isinstance(value, (int, float)) and (value != int(value) or not -2**31 <= value < 2**31)
    return "expected an object" in reason and value in ("", [], [[]])


def found(value, path):
    """What is at a path as Swift writes it."""
    if path == "":
        return value
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []:
        for form in ([f"[{name}]"] if isinstance(value, list) else [f'["{name}"]', name]):
            rest = path.removeprefix(form)
            if rest != path and rest[:1] in ("", ".", "["):
                return found(inner, rest.removeprefix("."))
    return value


def number(text):
    """All digits, and the sign of zero."""
    return float(text).hex()


def walk(holder, key, where):
    """Each value within holder[key]: who holds it, its key there, its path."""
    yield holder, key, where
    value = holder[key]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for name, _ in inner:
        yield from walk(value, name, f"{where}.{name}")


if __name__ == "__main__":
    command, sets, *rest = sys.argv[1:]
    getattr(JSONPeer(sets), command)(*rest)
