"""The other side of the property tests: PyPI protobuf.

peer.py make SETS SEED COUNT OUT     random messages of every type, COUNT of each
peer.py compare SETS IN OUT          checks what Swift made of messages, and writes them anew as Python does

SETS is a comma-separated list of FileDescriptorSet files. A record is a list of byte strings, each behind its length (four
bytes, little endian). `make` writes type, wire, JSON; `compare` reads type, wire, and Swift's wire (from the wire), wire (from
the JSON; may be absent) and JSON, and writes type, wire.
"""

import random
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor as Field

FIELDS = {"make": 3, "compare": 5}
TEXTS = ["", "a", "王小明", "naïve", "\U0010ffff", "🙂", 'quote " back \\ line\n', "\x7f\x01", "x" * 300]
INTS = {
    Field.CPPTYPE_INT32: (-(2**31), 2**31 - 1), Field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT32: (0, 2**32 - 1), Field.CPPTYPE_UINT64: (0, 2**64 - 1),
}


class Peer:
    def __init__(self, paths):
        self.pools = {}
        for path in paths.split(","):
            files = descriptor_pb2.FileDescriptorSet()
            with open(path, "rb") as file:
                files.ParseFromString(file.read())
            pool = descriptor_pool.DescriptorPool()
            for file in files.file:
                pool.Add(file)
            for file in files.file:
                # descriptor.proto and the options that extend it are not part of any message.
                if file.name == "google/protobuf/descriptor.proto" or file.extension:
                    continue
                for message in file.message_type:
                    self.add(pool, f"{file.package}.{message.name}", message)
        self.names = sorted(self.pools)

    def add(self, pool, name, message):
        if not message.options.map_entry:
            self.pools[name] = pool
        for nested in message.nested_type:
            self.add(pool, f"{name}.{nested.name}", nested)

    def new(self, name):
        return message_factory.GetMessageClass(self.pools[name].FindMessageTypeByName(name))()

    # Random messages

    def fill(self, message, rng, depth=0):
        descriptor = message.DESCRIPTOR
        name = descriptor.full_name
        if name == "google.protobuf.Timestamp":
            message.seconds = rng.randint(-62135596800, 253402300799)
            message.nanos = rng.choice([0, 5, 1000, 999999999, 20000000])
        elif name == "google.protobuf.Duration":
            message.seconds = rng.randint(-315576000000, 315576000000)
            message.nanos = rng.choice([0, 5, 1000, 999999999]) * (-1 if message.seconds < 0 else 1)
        elif name == "google.protobuf.FieldMask":
            message.paths.extend(rng.choices(["party", "party.given_name", "a_b.c_d"], k=rng.randint(0, 3)))
        elif name == "google.protobuf.Any":
            if depth < 4:
                inner = self.new(rng.choice([n for n in self.names if n.startswith("mainstay.")]))
                self.fill(inner, rng, depth + 2)
                message.Pack(inner)
        else:
            for field in descriptor.fields:
                if rng.random() < 0.6:
                    self.fill_field(message, field, rng, depth)

    def fill_field(self, message, field, rng, depth):
        if field.message_type is not None and (depth > 4 or (depth > 0 and rng.random() < 0.5)):
            return
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            entries = getattr(message, field.name)
            for _ in range(rng.randint(0, 3)):
                if value.message_type is not None:
                    self.fill(entries[self.value(key, rng)], rng, depth + 1)
                else:
                    entries[self.value(key, rng)] = self.value(value, rng)
        elif field.is_repeated:
            values = getattr(message, field.name)
            for _ in range(rng.choice([0, 1, 2, 3, 40 if depth < 2 else 1])):
                if field.message_type is not None:
                    self.fill(values.add(), rng, depth + 1)
                else:
                    values.append(self.value(field, rng))
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self.fill(inner, rng, depth + 1)
        else:
            setattr(message, field.name, self.value(field, rng))

    def value(self, field, rng):
        kind = field.cpp_type
        if kind in INTS:
            low, high = INTS[kind]
            return rng.choice([low, high, 0, 1, max(low, -1), rng.randint(low, high)])
        if kind == Field.CPPTYPE_BOOL:
            return rng.random() < 0.5
        if kind in (Field.CPPTYPE_DOUBLE, Field.CPPTYPE_FLOAT):
            # Without -0.0: protobuf-c takes it for the default and leaves it out.
            numbers = [0.0, 1.5, -3.25e10, float("inf"), float("-inf"), 1e-30, 123456.789]
            return struct.unpack("<f", struct.pack("<f", rng.choice(numbers)))[0]
        if kind == Field.CPPTYPE_ENUM:
            return rng.choice([v.number for v in field.enum_type.values] + [99, -5])
        if field.type == Field.TYPE_BYTES:
            return rng.randbytes(rng.choice([0, 1, 7, 100]))
        return rng.choice(TEXTS)

    # Commands

    def make(self, seed, count, out):
        rng = random.Random(int(seed))
        with open(out, "wb") as file:
            for name in self.names:
                for _ in range(int(count)):
                    message = self.new(name)
                    self.fill(message, rng)
                    text = json_format.MessageToJson(message, descriptor_pool=self.pools[name], indent=rng.choice([None, 2]))
                    write(file, name.encode(), message.SerializeToString(), text.encode())

    def compare(self, source, out):
        wrong = 0
        with open(source, "rb") as records, open(out, "wb") as file:
            while True:
                record = read(records, FIELDS["compare"])
                if record is None:
                    break
                name, wire, from_wire, from_json, text = record
                name = name.decode()
                message = self.settle(self.parse(name, wire))
                seen = {"wire": self.parse(name, from_wire)}
                if from_json != b"absent":
                    seen["JSON to wire"] = self.parse(name, from_json)
                seen["JSON"] = json_format.Parse(text, self.new(name), descriptor_pool=self.pools[name])
                for what, value in seen.items():
                    self.settle(value)
                    # NaN is not equal to itself.
                    if value != message and str(value) != str(message):
                        wrong += 1
                        print(f"{name}: Swift's {what} differs\n-- is\n{value}\n-- should be\n{message}", file=sys.stderr)
                write(file, name.encode(), self.parse(name, wire).SerializeToString())
                if wrong > 5:
                    break
        sys.exit(1 if wrong else 0)

    def parse(self, name, wire):
        message = self.new(name)
        message.ParseFromString(wire)
        message.DiscardUnknownFields()
        return message

    def settle(self, message):
        """Writes the content of each Any anew: JSON keeps its value, not its bytes."""
        if message.DESCRIPTOR.full_name == "google.protobuf.Any" and message.type_url:
            inner = self.settle(self.parse(message.type_url.split("/")[-1], message.value))
            message.value = inner.SerializeToString(deterministic=True)
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if field.message_type.GetOptions().map_entry:
                inner = value.values() if field.message_type.fields_by_name["value"].message_type else []
            else:
                inner = value if field.is_repeated else [value]
            for one in inner:
                self.settle(one)
        return message


def write(file, *parts):
    for part in parts:
        file.write(struct.pack("<I", len(part)) + part)


def read(file, count):
    parts = []
    for _ in range(count):
        head = file.read(4)
        if not head:
            return None
        parts.append(file.read(struct.unpack("<I", head)[0]))
    return parts


if __name__ == "__main__":
    command, sets, *rest = sys.argv[1:]
    getattr(Peer(sets), command)(*rest)
