import Protobuf

/// Writes the Swift struct of an enum. A struct, since numbers that this program does not know must pass through.
struct EnumWriter {
  let declared: ProtoEnum
  let names: SwiftNames

  func write(to source: inout SourceText) {
    let name = SwiftNames.quoted(
      names.type(declared.fullName).split(separator: ".").last.map(String.init) ?? declared.name)
    source.documentation(declared.comment, otherwise: "The enum `\(declared.fullName)`.")
    source.block("public struct \(name): RawRepresentable, Hashable, Sendable") { source in
      source.line("/// The number on the wire.")
      source.line("public let rawValue: Int32")
      source.line()
      source.line("/// A value by number, known or not.")
      source.line("public init(rawValue: Int32) { self.rawValue = rawValue }")
      source.line()
      for value in declared.values {
        source.documentation(value.comment, otherwise: "The value `\(value.name)`.")
        source.line("public static let \(swiftName(value)) = \(name)(rawValue: \(value.number))")
      }
      source.line()
      source.line("/// All values that the proto names.")
      source.line("public static let all: [\(name)] = [")
      source.indented { source in
        for value in declared.values { source.line(".\(swiftName(value)),") }
      }
      source.line("]")
      source.line()
      source.line("/// The value of this name in the proto; nil if there is none.")
      source.block("public init?(name: String)") { source in
        source.line("switch name {")
        for value in declared.values { source.line("case \"\(value.name)\": self = .\(swiftName(value))") }
        source.line("default: return nil")
        source.line("}")
      }
      source.line()
      source.line("/// Its name in the proto; the number as text if it is not known.")
      source.block("public var name: String") { source in
        source.line("switch rawValue {")
        var numbers: Set<Int32> = []
        for value in declared.values where numbers.insert(value.number).inserted {
          source.line("case \(value.number): \"\(value.name)\"")
        }
        source.line("default: String(rawValue)")
        source.line("}")
      }
    }
  }

  private func swiftName(_ value: ProtoEnumValue) -> String {
    SwiftNames.quoted(SwiftNames.enumValue(value.name, of: declared.name))
  }
}
