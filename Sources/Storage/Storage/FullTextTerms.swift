/// Text cut into search terms by us, because the stock tokenisers of FTS5 and PostgreSQL take a Chinese sentence for one
/// word: they find nothing for 保险 in 中国人寿保险公司.
///
/// Case and width are folded (ＡＢＣ１ is abc1). Letters and digits other than CJK make whole words. A run of CJK
/// characters gives its overlapping pairs and its last character (人寿保险: 人寿 寿保 保险 险), so that every part of
/// it, one character too, is the beginning of consecutive terms. A term holds only letters, digits and marks, which a
/// plain tokenizer (FTS5's unicode61, tsvector's simple) leaves as it is.
public enum FullTextTerms {
  /// Most terms of one text; the rest is not found by search.
  public static let maximumTerms = 1_024
  /// Most words and CJK runs of one search.
  public static let maximumSearchedRuns = 16

  /// The terms with a space between, to be stored in the full-text table.
  public static func indexed(_ text: String) -> String {
    var terms: [String] = []
    for run in runs(of: text) {
      guard terms.count < maximumTerms else { break }
      terms.append(contentsOf: run.indexTerms)
    }
    return terms.prefix(maximumTerms).joined(separator: " ")
  }

  /// A MATCH expression of FTS5 for what a user typed: every word must occur, from its beginning ("zh" finds zhang);
  /// CJK characters must stand together. Nil when there is nothing to search for.
  ///
  /// Terms are quoted, and hold no quotes, so nothing in the text is an operator.
  public static func fts5Query(_ text: String) -> String? {
    let phrases = runs(of: text).prefix(maximumSearchedRuns).map { run in
      "\"" + run.searchTerms.joined(separator: " ") + "\"*"
    }
    return phrases.isEmpty ? nil : phrases.joined(separator: " AND ")
  }

  /// The same question as a `tsquery` of PostgreSQL, for `to_tsquery('simple', …)` on `to_tsvector('simple', …)`.
  public static func tsquery(_ text: String) -> String? {
    let phrases = runs(of: text).prefix(maximumSearchedRuns).map { run in
      run.searchTerms.map { "'\($0)'" }.joined(separator: " <-> ") + ":*"
    }
    return phrases.isEmpty ? nil : phrases.joined(separator: " & ")
  }

  /// A word, or characters of a script that puts no spaces between words.
  private struct Run {
    var scalars = String.UnicodeScalarView()
    let isIdeographic: Bool

    var indexTerms: [String] { isIdeographic ? pairs + [String(scalars.suffix(1))] : [String(scalars)] }
    var searchTerms: [String] { isIdeographic && scalars.count > 1 ? pairs : [String(scalars)] }

    private var pairs: [String] {
      zip(scalars, scalars.dropFirst()).map { String(String.UnicodeScalarView([$0, $1])) }
    }
  }

  private static func runs(of text: String) -> [Run] {
    var runs: [Run] = []
    var isInRun = false
    for scalar in folded(text) {
      guard isPartOfTerm(scalar) else {
        isInRun = false
        continue
      }
      let isIdeographic = isIdeographic(scalar)
      if !isInRun || runs[runs.count - 1].isIdeographic != isIdeographic {
        runs.append(Run(isIdeographic: isIdeographic))
      }
      runs[runs.count - 1].scalars.append(scalar)
      isInRun = true
    }
    return runs
  }

  /// Lower case, and full-width forms of ASCII (U+FF01 to U+FF5E) as ASCII.
  private static func folded(_ text: String) -> String.UnicodeScalarView {
    var folded = String.UnicodeScalarView()
    var isCaseOpen = false
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x41...0x5A: folded.append(Unicode.Scalar(UInt8(scalar.value + 0x20)))
      case 0xFF21...0xFF3A: folded.append(Unicode.Scalar(UInt8(scalar.value - 0xFF21 + 0x61)))
      case 0xFF01...0xFF5E: folded.append(Unicode.Scalar(UInt8(scalar.value - 0xFF01 + 0x21)))
      // Nothing here has two cases. Names are made of these and ASCII, so they are folded without Unicode's tables.
      case 0x00...0x7F, 0x3000...0x9FFF: folded.append(scalar)
      default:
        isCaseOpen = true
        folded.append(scalar)
      }
    }
    return isCaseOpen ? String(folded).lowercased().unicodeScalars : folded
  }

  private static func isPartOfTerm(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x4E00...0x9FA5: return true
    case 0x00...0x7F: return false
    default: break
    }
    return switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
      .spacingMark, .decimalNumber, .letterNumber, .otherNumber:
      true
    default: false
    }
  }

  /// Han, kana and Hangul.
  private static func isIdeographic(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x3005...0x3007, 0x3040...0x30FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF,
      0x20000...0x323AF:
      true
    default: false
    }
  }
}
