/// Where a record comes from: the source's name and the record's key there. Both never change, and no two records of one kind
/// share both.
public struct SourceReference: Hashable, Sendable {
  /// Name of the system or channel: lower-case letters, digits, "-" and "_"; 1 to 64.
  public let source: String
  /// Key within the source; 1 to 128 characters.
  public let key: String

  /// Most characters of a source's name.
  public static let maximumSourceLength = 64
  /// Most characters of a key.
  public static let maximumKeyLength = 128

  /// A reference as it came from outside; `check` says whether it is well formed.
  public init(source: String, key: String) {
    self.source = source
    self.key = key
  }

  /// Notes a fault unless the name is one that a source may have.
  public static func check(source: String, _ path: String, into faults: inout ViolationList) {
    let wellFormed = source.utf8.allSatisfy { byte in
      (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
    if source.isEmpty || source.utf8.count > maximumSourceLength || !wellFormed {
      faults.add(path, "must be 1 to \(maximumSourceLength) lower-case letters, digits, \"-\" or \"_\"")
    }
  }

  /// Notes the faults of both parts under their proto names.
  public func check(into faults: inout ViolationList) {
    SourceReference.check(source: source, "source", into: &faults)
    faults.check(key, length: 1...SourceReference.maximumKeyLength, "source_key")
  }
}

/// A value that the source sent and that no other field holds.
public struct SourceAttribute: Hashable, Sendable {
  /// Column or key in the source; 1 to 64 characters.
  public let name: String
  /// As received; at most 1,024 characters.
  public let value: String

  /// Most attributes of one record.
  public static let maximumCount = 32

  /// An attribute as it came from outside.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }

  /// Notes the faults of a record's attributes, which stand in this field.
  public static func check(_ attributes: [SourceAttribute], _ path: String, into faults: inout ViolationList) {
    faults.check(count: attributes.count, atMost: maximumCount, path)
    for (index, attribute) in attributes.enumerated() {
      faults.check(attribute.name, length: 1...64, "\(path)[\(index)].name")
      faults.check(attribute.value, length: 0...1_024, "\(path)[\(index)].value")
    }
  }
}
