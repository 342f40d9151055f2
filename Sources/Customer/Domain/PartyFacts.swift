import Core

/// What a source knows of one person or company, without what the service adds (ids, version, times). Two records with equal
/// facts are the same content: importing one over the other changes nothing.
public struct PartyFacts: Hashable, Sendable {
  /// Where it comes from.
  public let reference: SourceReference
  /// Who it is. The kind never changes, the person or company may.
  public var subject: Subject
  /// Numbers and keys that name it; at most 16.
  public var identifiers: [PartyIdentifier]
  /// As received; at most 16 of 64 characters.
  public var phones: [String]
  /// As received; at most 16 of 254 characters.
  public var emails: [String]
  /// At most 16.
  public var addresses: [PostalAddress]
  /// At most 32.
  public var attributes: [SourceAttribute]

  /// Facts as they came from outside; `validate` says whether they may be kept.
  public init(
    reference: SourceReference, subject: Subject, identifiers: [PartyIdentifier] = [], phones: [String] = [],
    emails: [String] = [], addresses: [PostalAddress] = [], attributes: [SourceAttribute] = []
  ) {
    self.reference = reference
    self.subject = subject
    self.identifiers = identifiers
    self.phones = phones
    self.emails = emails
    self.addresses = addresses
    self.attributes = attributes
  }

  /// A policyholder of whom nothing is known but the key: what a policy import creates for an unknown one.
  public static func unnamed(_ reference: SourceReference) -> PartyFacts {
    PartyFacts(reference: reference, subject: .person(Person()))
  }
}

/// A person or a company.
public enum Subject: Hashable, Sendable {
  /// A human being.
  case person(Person)
  /// A company or other organisation.
  case company(Company)

  /// Whether it is a company.
  public var isCompany: Bool {
    if case .company = self { true } else { false }
  }
}

/// A human being.
public struct Person: Hashable, Sendable {
  /// 姓 or surname; at most 128 characters.
  public var familyName: String
  /// 名 or given names; at most 128 characters.
  public var givenName: String
  /// Name as written where the source does not split it; at most 256 characters.
  public var fullName: String
  /// Nil if not known.
  public var birthDate: CivilDate?
  /// Nil if not known.
  public var sex: Sex?

  /// A person; what is left out is not known.
  public init(
    familyName: String = "", givenName: String = "", fullName: String = "", birthDate: CivilDate? = nil, sex: Sex? = nil
  ) {
    self.familyName = familyName
    self.givenName = givenName
    self.fullName = fullName
    self.birthDate = birthDate
    self.sex = sex
  }
}

/// A party's sex as its source has it.
public enum Sex: Int, Sendable {
  /// 女
  case female = 1
  /// 男
  case male = 2
}

/// A company or other organisation.
public struct Company: Hashable, Sendable {
  /// Registered name; at most 256 characters.
  public var name: String
  /// Name used in daily life; at most 256 characters.
  public var shortName: String

  /// A company.
  public init(name: String = "", shortName: String = "") {
    self.name = name
    self.shortName = shortName
  }
}

/// A number or key that names the party.
public struct PartyIdentifier: Hashable, Sendable {
  /// What kind of number it is.
  public let kind: Kind
  /// Who gave it; at most 64 characters.
  public let issuer: String
  /// As received, without blanks around it; 1 to 128 characters.
  public let value: String

  /// Kinds of identifiers.
  public enum Kind: Int, Sendable {
    /// 居民身份证, GB 11643.
    case residentID = 1
    /// A passport's number.
    case passport = 2
    /// 统一社会信用代码, GB 32100.
    case unifiedSocialCreditCode = 3
    /// A social security or tax number of another country.
    case nationalNumber = 4
    /// OpenID of one official account.
    case openID = 5
    /// UnionID over the official accounts of one owner.
    case unionID = 6
  }

  /// An identifier as it came from outside.
  public init(kind: Kind, issuer: String = "", value: String) {
    self.kind = kind
    self.issuer = issuer
    self.value = value
  }
}

/// A postal address, from the finest to the coarsest part.
public struct PostalAddress: Hashable, Sendable {
  /// At most 8 of 256 characters.
  public let lines: [String]
  /// At most 128 characters.
  public let district: String
  /// At most 128 characters.
  public let city: String
  /// At most 128 characters.
  public let province: String
  /// At most 32 characters.
  public let postalCode: String
  /// ISO 3166-1 alpha-2 in capitals; may be empty.
  public let countryCode: String

  /// An address as it came from outside.
  public init(
    lines: [String] = [], district: String = "", city: String = "", province: String = "", postalCode: String = "",
    countryCode: String = ""
  ) {
    self.lines = lines
    self.district = district
    self.city = city
    self.province = province
    self.postalCode = postalCode
    self.countryCode = countryCode
  }
}
