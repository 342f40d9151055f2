import CPostgres
import Storage

/// Parameters in the server's binary format, one behind the other.
struct EncodedParameters {
  private var bytes: [UInt8] = []
  private var starts: [Int?] = []
  private var lengths: [CInt] = []

  init(_ parameters: [SQLValue]) {
    starts.reserveCapacity(parameters.count)
    lengths.reserveCapacity(parameters.count)
    for parameter in parameters {
      let start = bytes.count
      switch parameter {
      case .null: break
      case .integer(let number): withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
      case .real(let number): withUnsafeBytes(of: number.bitPattern.bigEndian) { bytes.append(contentsOf: $0) }
      case .text(let text): bytes.append(contentsOf: text.utf8)
      case .blob(let blob): bytes.append(contentsOf: blob)
      }
      starts.append(parameter == .null ? nil : start)
      lengths.append(CInt(clamping: bytes.count - start))
    }
    // So that an empty value at the end has an address: none means NULL.
    bytes.append(0)
  }

  /// Calls the body with libpq's arrays: values, lengths, formats.
  func withArrays<Result>(
    _ body: (CInt, UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<CInt>, UnsafePointer<CInt>) -> Result
  ) -> Result {
    bytes.withUnsafeBytes { raw in
      let base = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
      let values = starts.map { start in start.flatMap { start in base.map { $0 + start } } }
      let formats = [CInt](repeating: 1, count: starts.count)
      return body(CInt(starts.count), values, lengths, formats)
    }
  }
}

/// Reads an answer in the server's binary format.
struct AnswerReader {
  /// A column of a type that the two databases do not share.
  struct UnknownType: Error {
    let column: Int
    let type: UInt32
  }

  let result: OpaquePointer

  func rows() throws(UnknownType) -> [Row] {
    let (width, count) = (Int(PQnfields(result)), Int(PQntuples(result)))
    let types = (0..<width).map { PQftype(result, CInt($0)) }
    var values: [SQLValue] = []
    values.reserveCapacity(width * count)
    for row in 0..<count {
      for column in 0..<width { values.append(try value(row: row, column: column, type: types[column])) }
    }
    let shared = values
    return (0..<count).map { Row(values: shared, start: $0 * width, count: width) }
  }

  private func value(row: Int, column: Int, type: UInt32) throws(UnknownType) -> SQLValue {
    let (row, index) = (CInt(row), CInt(column))
    guard PQgetisnull(result, row, index) == 0 else { return .null }
    let start = UnsafeRawPointer(PQgetvalue(result, row, index))
    let bytes = UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, index)))
    switch type {
    case ServerType.int8, ServerType.int4, ServerType.int2: return .integer(signed(bytes))
    case ServerType.bool: return .integer(bytes.first == 1 ? 1 : 0)
    case ServerType.float8: return .real(Double(bitPattern: UInt64(bitPattern: signed(bytes))))
    case ServerType.float4: return .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: signed(bytes)))))
    case ServerType.text, ServerType.varchar, ServerType.name, ServerType.unknown:
      return .text(String(decoding: bytes, as: UTF8.self))
    case ServerType.bytea: return .blob(Array(bytes))
    case ServerType.numeric: return AnswerReader.decimal(bytes)
    case ServerType.void: return .null
    default: throw UnknownType(column: column, type: type)
    }
  }

  /// A big-endian number of any width up to eight bytes.
  private func signed(_ bytes: UnsafeRawBufferPointer) -> Int64 {
    guard let first = bytes.first else { return 0 }
    var number: Int64 = first & 0x80 == 0 ? 0 : -1
    for byte in bytes { number = number << 8 | Int64(byte) }
    return number
  }

  /// What sum() of whole numbers gives: a whole number if it is one and fits, else floating point. Format: number of digits, weight
  /// of the first, sign, scale, then digits to the base 10,000, each two bytes.
  static func decimal(_ bytes: UnsafeRawBufferPointer) -> SQLValue {
    let words = stride(from: 0, to: bytes.count - 1, by: 2).map { Int64(bytes[$0]) << 8 | Int64(bytes[$0 + 1]) }
    guard words.count >= 4 else { return .null }
    let digits = words.dropFirst(4)
    let weight = Int(Int16(truncatingIfNeeded: words[1]))
    let isNegative = words[2] == 0x4000
    guard isNegative || words[2] == 0 else { return .real(.nan) }
    var whole: Int64? = 0
    var real = 0.0
    // A number may end before its last digit: zeros are left out.
    for place in 0..<max(digits.count, weight + 1) {
      let digit = place < digits.count ? digits[digits.startIndex + place] : 0
      if place <= weight {
        real = real * 10_000 + Double(digit)
        whole = whole.flatMap { sum in
          let (product, overflow) = sum.multipliedReportingOverflow(by: 10_000)
          let (total, overflowAgain) = product.subtractingReportingOverflow(digit)
          return overflow || overflowAgain ? nil : total
        }
      } else if digit != 0 {
        whole = nil
        var part = Double(digit)
        for _ in 0..<(place - weight) { part /= 10_000 }
        real += part
      }
    }
    // Summed up below zero, where there is room for the smallest number.
    if let whole, isNegative || whole != .min { return .integer(isNegative ? whole : -whole) }
    return .real(isNegative ? -real : real)
  }
}
