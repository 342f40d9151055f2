/// The unified social credit code of a Chinese company (统一社会信用代码, GB 32100-2015): 18 characters, the last of which checks
/// the others.
public enum CompanyCode {
  private static let alphabet = Array("0123456789ABCDEFGHJKLMNPQRTUWXY".utf8)

  /// The code without blanks and hyphens, in capitals; nil unless it is one.
  public static func canonical(_ text: String) -> String? {
    let characters = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "-") }
      .map { (97...122).contains($0) ? $0 - 32 : $0 }
    let values = characters.compactMap { alphabet.firstIndex(of: $0) }
    // Two characters of authority and kind, six digits of the place, nine of the organisation, one check character.
    guard characters.count == 18, values.count == 18, values[2..<8].allSatisfy({ $0 < 10 }) else { return nil }
    var weight = 1
    var sum = 0
    for value in values.dropLast() {
      sum += value * weight
      weight = weight * 3 % 31
    }
    return values[17] == (31 - sum % 31) % 31 ? String(decoding: characters, as: UTF8.self) : nil
  }
}
