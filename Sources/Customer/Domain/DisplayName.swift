extension Subject {
  /// The name to show; empty if the source knows none.
  public var displayName: String {
    switch self {
    case .person(let person): person.displayName
    case .company(let company): company.name.isEmpty ? company.shortName : company.name
    }
  }
}

extension Person {
  /// The name to show: 姓 and 名 without a blank in Chinese, given name before family name elsewhere, the undivided name where
  /// the source does not split it.
  public var displayName: String {
    if familyName.isEmpty && givenName.isEmpty { return fullName }
    if familyName.isEmpty || givenName.isEmpty { return familyName + givenName }
    return isChinese(familyName) && isChinese(givenName)
      ? familyName + givenName : givenName + " " + familyName
  }
}

/// Whether the text is written in Chinese characters alone; the dot of transliterated names ("阿卜杜·热西提") counts as one.
func isChinese(_ text: String) -> Bool {
  // Every Chinese character takes more than one byte in UTF-8, so ASCII is decided without decoding.
  guard let first = text.utf8.first, first >= 0x80 else { return false }
  return text.unicodeScalars.allSatisfy { $0.properties.isIdeographic || $0 == "·" || $0 == "•" || $0 == "・" }
}
