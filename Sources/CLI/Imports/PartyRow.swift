import API
import Core

/// Makes parties from the rows of a file.
struct PartyRow {
  private var party = Party()
  private var person = Person()
  private var company = Company()
  /// By index in the mapping; those that stay empty are left out.
  private var addresses: [Int: Address] = [:]

  /// The party of a row; throws what is wrong with it.
  static func make(_ row: MappedRow) throws(RowFault) -> Party {
    var made = PartyRow()
    made.party.sourceKey = row.key
    for value in row.values { try made.set(value) }
    for (field, text) in row.constants { made.setConstant(field, text) }
    made.party.addresses = made.addresses.sorted { $0.key < $1.key }.map(\.value)
    made.party.kind = row.kind == .company ? .company(made.company) : .person(made.person)
    made.party.sourceAttributes += row.keptAttributes
    return made.party
  }

  private mutating func set(_ value: MappedRow.Value) throws(RowFault) {
    let text = value.text
    switch value.field {
    case .familyName: person.familyName = text
    case .givenName: person.givenName = text
    case .fullName: person.fullName = text
    case .birthDate: person.birthDate = value.date.map(CalendarDate.init(_:))
    case .sex: person.sex = EnumNames.sex(text) ?? .unspecified
    case .companyName: company.name = text
    case .companyShortName: company.shortName = text
    case .identifier:
      let type = EnumNames.identifierType(value.identifierType) ?? .unspecified
      party.identifiers.append(Identifier(type: type, issuer: value.issuer, value: text))
    case .phone: party.phones.append(text)
    case .email: party.emails.append(text)
    case .address(let index, let part): setAddress(index, part, text)
    case .attribute(let name): party.sourceAttributes.append(SourceAttribute(name: name, value: text))
    default: throw RowFault(reason: "\(value.column) leads to a field that a party does not have")
    }
  }

  /// A constant fills what the row left empty; in an address only if the row has that address.
  private mutating func setConstant(_ field: ImportField, _ text: String) {
    switch field {
    case .address(let index, let part): if addresses[index] != nil { setAddress(index, part, text) }
    case .sex: if person.sex == .unspecified { person.sex = EnumNames.sex(text) ?? .unspecified }
    case .attribute(let name): party.sourceAttributes.append(SourceAttribute(name: name, value: text))
    default: break
    }
  }

  private mutating func setAddress(_ index: Int, _ part: ImportField.AddressPart, _ text: String) {
    var address = addresses[index] ?? Address()
    switch part {
    case .line: address.lines.append(text)
    case .district: address.district = text
    case .city: address.city = text
    case .province: address.province = text
    case .postalCode: address.postalCode = text
    case .countryCode: address.countryCode = text
    }
    addresses[index] = address
  }
}

extension CalendarDate {
  /// The same day as a message.
  init(_ day: CivilDate) {
    self.init(year: Int32(day.year), month: Int32(day.month), day: Int32(day.day))
  }
}
