import CustomerDomain
import Core

/// What is true of a person; each source writes it in its own way.
struct PersonTruth {
  private let name: PersonName
  private let isFemale: Bool
  private let birthDate: CivilDate
  private let residentID: String
  private let phone: String
  private let email: String
  private let unionID: String
  private let region: Region
  private let address: Address

  /// Where somebody lives or works.
  struct Address {
    let street: String
    let district: String
    let city: Region.City
    let postalCode: String

    init(region: Region, isOffice: Bool = false, _ random: inout DemoRandom) {
      city = region.cities[random.index(weights: region.cities.indices.map { 10 / ($0 + 2) + 1 })]
      district = random.element(city.districts)
      let number = "\(random.element(Region.streets))\(random.between(1, 380))号"
      street =
        isOffice
        ? "\(number)\(random.between(3, 28))层"
        : "\(number)\(random.element(Region.estates))\(random.between(1, 30))栋\(random.between(1, 28))0\(random.between(1, 4))室"
      postalCode = "\(city.postalPrefix)\(decimal(random.below(90), digits: 2))"
    }
  }

  init(region: Region, _ random: inout DemoRandom) {
    self.region = region
    isFemale = random.chance(perMille: 540)
    name = PersonNames.draw(female: isFemale, &random)
    // 22 to 70 years old, most about 40.
    let days = random.between(0, 8_700) + random.between(0, 8_700)
    birthDate = CivilDate(daysSinceEpoch: DemoTime.day(1955, 6, 1).daysSinceEpoch + days)
    residentID = Self.residentID(region, birthDate, isFemale, &random)
    phone = "160\(decimal(random.below(100_000_000), digits: 8))"
    email = "\(name.mailName)\(random.between(1, 999))@example.com"
    unionID = "o\(String(random.next() | 1 << 63, radix: 36))"
    address = Address(region: region, &random)
  }

  /// How a source writes it down. The first source of a person has it in full; the others differ.
  func party(
    _ customer: Int, _ plan: DemoPlan.Channel, agent: Int?, variant: Int, _ random: inout DemoRandom
  ) -> DemoParty {
    let isOnline = plan.channel == .online
    let knowsAddress = !isOnline || random.chance(perMille: 400)
    var identifiers: [(kind: PartyIdentifier.Kind, issuer: String, value: String)] = []
    if !isOnline || random.chance(perMille: 350) { identifiers.append((.residentID, "CN", residentID)) }
    if isOnline {
      identifiers.append((.openID, "demo-account-\(random.between(1, 3))", "\(unionID)\(random.between(10, 99))"))
      identifiers.append((.unionID, "demo", unionID))
    }
    // A tenth of those who come again have another phone by then.
    let number =
      variant > 0 && random.chance(perMille: 100) ? "160\(decimal(random.below(100_000_000), digits: 8))" : phone
    let prefix = ["demo-core": "C", "demo-broker": "B", "demo-bank": "K", "demo-online": "W"][plan.source] ?? "X"
    return DemoParty(
      source: plan.source, sourceKey: "\(prefix)\(decimal(customer + 1, digits: 8))",
      subject: subject(plan.channel, variant, &random), identifiers: identifiers,
      phones: [Self.written(number, plan.channel, &random)],
      emails: isOnline || random.chance(perMille: 250) ? [email] : [],
      street: knowsAddress ? written(address.street, variant, &random) : "",
      district: knowsAddress ? address.district : "", city: knowsAddress ? address.city.name : "",
      province: knowsAddress ? region.province : "", postalCode: knowsAddress ? address.postalCode : "",
      customer: customer, channel: plan.channel, branchCode: region.code, agent: agent, birthYear: birthDate.year)
  }

  private func subject(
    _ channel: SaleChannel, _ variant: Int, _ random: inout DemoRandom
  ) -> DemoParty.Subject {
    let style = variant == 0 ? 0 : random.below(10)
    switch (channel, style) {
    // Websites ask for one name, and some people write it in letters.
    case (.online, _):
      let full = style == 9 ? name.inPinyin : style == 8 ? PersonNames.inTraditional(name.full) : name.full
      return .person(family: "", given: "", full: full, birthDate: variant == 0 ? birthDate : nil, isFemale: isFemale)
    // Banks write an undivided name.
    case (.bancassurance, _):
      return .person(
        family: "", given: "", full: style == 9 ? PersonNames.inTraditional(name.full) : name.full,
        birthDate: birthDate, isFemale: isFemale)
    // A birth date that was typed wrong, a sex that nobody asked for.
    case (_, 9):
      let wrong = CivilDate(year: birthDate.year, month: birthDate.day % 12 + 1, day: min(birthDate.day, 28))
      return .person(
        family: name.family, given: name.givenText, full: "", birthDate: wrong ?? birthDate, isFemale: isFemale)
    case (_, 8):
      return .person(
        family: PersonNames.inTraditional(name.family), given: PersonNames.inTraditional(name.givenText), full: "",
        birthDate: birthDate, isFemale: nil)
    default:
      return .person(family: name.family, given: name.givenText, full: "", birthDate: birthDate, isFemale: isFemale)
    }
  }

  private func written(_ street: String, _ variant: Int, _ random: inout DemoRandom) -> String {
    guard variant > 0 else { return street }
    switch random.below(4) {
    case 0: return address.district + street
    case 1: return street.replacing("号", "號")
    case 2: return Self.fullWidth(street)
    default: return street
    }
  }

  /// "16012345678" as this kind of source writes it.
  private static func written(_ phone: String, _ channel: SaleChannel, _ random: inout DemoRandom) -> String {
    switch (channel, random.below(10)) {
    case (.online, 0..<6): "+86\(phone)"
    case (.intermediary, 0..<5): "\(phone.prefix(3))-\(phone.dropFirst(3).prefix(4))-\(phone.suffix(4))"
    case (.bancassurance, 0..<3): fullWidth(phone)
    default: phone
    }
  }

  /// Digits as wide as characters (全角).
  private static func fullWidth(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          (48...57).contains(scalar.value) ? Unicode.Scalar(scalar.value + 0xFEE0) ?? scalar : scalar
        }))
  }

  /// A 居民身份证 number (GB 11643) with a right check character and the place XX9900, which does not exist: nobody has it.
  private static func residentID(
    _ region: Region, _ birth: CivilDate, _ isFemale: Bool, _ random: inout DemoRandom
  ) -> String {
    let sequence = random.between(0, 498) * 2 + (isFemale ? 2 : 1)
    let digits =
      "\(region.placeCode)9900\(decimal(birth.year, digits: 4))\(decimal(birth.month, digits: 2))\(decimal(birth.day, digits: 2))"
      + decimal(sequence, digits: 3)
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    let sum = zip(digits.utf8, weights).reduce(0) { $0 + (Int($1.0) - 48) * $1.1 }
    return digits + String(Array("10X98765432")[sum % 11])
  }
}

extension String {
  /// With each character of one kind as another.
  fileprivate func replacing(_ old: Character, _ other: Character) -> String {
    String(map { $0 == old ? other : $0 })
  }
}
