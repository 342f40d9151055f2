import Protobuf

/// What a client of the old protos could not do any more with the new ones; one line each.
func breakingChanges(from old: [UInt8], to new: [UInt8]) throws -> [String] {
  let old = try DescriptorPool(fileDescriptorSet: old)
  let new = try DescriptorPool(fileDescriptorSet: new)
  var changes: [String] = []
  for message in old.messages where !message.fullName.hasPrefix("google.protobuf.") {
    guard let now = new.message(named: message.fullName) else {
      changes.append("message \(message.fullName) was removed")
      continue
    }
    for field in message.fields { compare(field, now.field(number: field.number), message, &changes) }
  }
  for declared in old.enums where !declared.fullName.hasPrefix("google.protobuf.") {
    guard let now = new.enumeration(named: declared.fullName) else {
      changes.append("enum \(declared.fullName) was removed")
      continue
    }
    for value in declared.values
    where !now.values.contains(where: { $0.number == value.number && $0.name == value.name }) {
      changes.append("value \(value.name) = \(value.number) of enum \(declared.fullName) was removed or changed")
    }
  }
  for service in old.services {
    guard let now = new.service(named: service.fullName) else {
      changes.append("service \(service.fullName) was removed")
      continue
    }
    for method in service.methods {
      compare(method, now.methods.first { $0.name == method.name }, service, &changes)
    }
  }
  return changes
}

private func compare(_ old: ProtoField, _ new: ProtoField?, _ message: ProtoMessage, _ changes: inout [String]) {
  let what = "field \(old.name) = \(old.number) of \(message.fullName)"
  guard let new else {
    changes.append("\(what) was removed or has another number")
    return
  }
  if new.name != old.name { changes.append("\(what) has become \(new.name)") }
  if new.type != old.type || new.typeName != old.typeName || new.isRepeated != old.isRepeated {
    changes.append("\(what) has another type")
  }
  if (new.oneofIndex == nil) != (old.oneofIndex == nil) { changes.append("\(what) was moved into or out of a oneof") }
}

private func compare(_ old: ProtoMethod, _ new: ProtoMethod?, _ service: ProtoService, _ changes: inout [String]) {
  let what = "method \(service.fullName).\(old.name)"
  guard let new else {
    changes.append("\(what) was removed")
    return
  }
  if (new.clientStreaming, new.serverStreaming) != (old.clientStreaming, old.serverStreaming) {
    changes.append("\(what) is of another kind")
  }
  if new.inputType != old.inputType || new.outputType != old.outputType {
    changes.append("\(what) has another request or reply")
  }
}
