import Core
import CustomerDomain
import Storage
import UseCases

/// Rows of the name index that are written and deleted together.
struct NameRows {
  private var inserted = RowBuffer(
    insertion, expect: .unique(orFail: BatchConflict(.alreadyExists, subject: "row of the name index")))
  private var deleted: [Statement] = []

  private static let insertion = RowInsertion(into: "party_name", columns: ["rowid", "terms", "party_id", "length"])

  mutating func insert(_ number: Int64, _ party: PartyID, _ subject: Subject) {
    let name = subject.searchedName
    inserted.append(.integer(number))
    inserted.append(.text(FullTextTerms.indexed(name)))
    inserted.append(.id(party))
    inserted.append(.integer(Int64(name.unicodeScalars.count)))
  }

  mutating func delete(_ number: Int64) {
    deleted.append(Statement("DELETE FROM party_name WHERE rowid = ?", [.integer(number)]))
  }

  var statements: [Statement] { deleted + inserted.statements }
}

/// A customer found by name, with its place among the others.
struct NameHit: Sendable {
  let customerID: CustomerID
  let place: NamePlace
}

/// A place in the answers to a search by name: shorter names first, since more of them was asked for, then older parties.
struct NamePlace: Sendable {
  let length: Int64
  let number: Int64

  /// Before all names.
  static let beginning = NamePlace(length: -1, number: -1)

  /// As a page token holds it.
  var fields: [OpaqueToken.Field] { [.integer(length), .integer(number)] }
}

extension NamePlace {
  /// The last place that the page's token names. Throws INVALID_ARGUMENT if it names none.
  init(_ page: PageRequest) throws {
    guard let fields = page.place else {
      self = .beginning
      return
    }
    guard fields.count == 2, case .integer(let length) = fields[0], case .integer(let number) = fields[1] else {
      throw page.malformed
    }
    self.init(length: length, number: number)
  }
}

/// Finds customers by name.
struct NameIndex: Sendable {
  let database: any Database

  /// At most so many, best first, behind a place; none if there is nothing to search for in the text.
  func search(_ text: String, after place: NamePlace, limit: Int) async throws -> [NameHit] {
    let (matches, match) =
      switch database.dialect {
      case .sqlite: ("party_name MATCH ?", FullTextTerms.fts5Query(text))
      case .postgresql: ("to_tsvector('simple', terms) @@ to_tsquery('simple', ?)", FullTextTerms.tsquery(text))
      }
    guard let match else { return [] }
    let rows = try await database.query(
      Statement(
        """
        SELECT m.customer_id, n.length, n.number FROM (
          SELECT rowid AS number, party_id, length FROM party_name
          WHERE \(matches) AND (length > ? OR length = ? AND rowid > ?)
          ORDER BY length, rowid LIMIT ?) AS n
        JOIN membership m ON m.party_id = n.party_id ORDER BY n.length, n.number
        """,
        [
          .text(match), .integer(place.length), .integer(place.length), .integer(place.number), .integer(Int64(limit)),
        ]),
      access: .scan)
    return try rows.map {
      NameHit(customerID: try $0.id(0), place: NamePlace(length: try $0.integer(1), number: try $0.integer(2)))
    }
  }
}

extension Subject {
  /// All that it may be called, for the index.
  fileprivate var searchedName: String {
    switch self {
    case .person(let person):
      let shown = person.displayName
      return person.fullName.isEmpty || person.fullName == shown ? shown : shown + " " + person.fullName
    case .company(let company):
      return company.shortName.isEmpty ? company.name : company.name + " " + company.shortName
    }
  }
}
