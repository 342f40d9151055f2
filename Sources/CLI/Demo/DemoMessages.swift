import API
import Core
import Demo

/// Demo records as messages of the API.
enum DemoMessages {
  static func agent(_ agent: DemoAgent, branchID: String, teamID: String, partnerID: String) -> Agent {
    Agent(
      code: agent.code, name: agent.name, type: AgentType(rawValue: Int32(agent.kind.rawValue)), branchID: branchID,
      teamID: teamID, partnerID: partnerID, grade: agent.grade, joinDate: CalendarDate(agent.joinDate),
      licences: agent.licences.map {
        Licence(
          number: $0.number, line: LicenceLine(rawValue: Int32($0.line.rawValue)), region: $0.region,
          validFrom: CalendarDate($0.from), validUntil: $0.until.map(CalendarDate.init(_:)))
      })
  }

  static func partner(_ partner: DemoPartner) -> Partner {
    Partner(
      code: partner.code, name: partner.name, kind: PartnerKind(rawValue: Int32(partner.kind.rawValue)),
      uscc: partner.companyCode, contractFrom: CalendarDate(partner.contractFrom),
      contractUntil: partner.contractUntil.map(CalendarDate.init(_:)))
  }

  static func product(_ product: DemoProduct, insurerID: String) -> Product {
    Product(
      code: product.code, name: product.name, line: ProductLine(rawValue: Int32(product.line.rawValue)),
      insurerPartnerID: insurerID, minimumAnnualPremium: yuan(product.minimumAnnualPremium),
      versions: product.versionDays.prefix(1).map { ProductVersion(from: CalendarDate($0)) },
      saleWindows: product.windows.map {
        SaleWindow(
          channel: API.SaleChannel(rawValue: Int32($0.channel.rawValue)), from: CalendarDate($0.from),
          until: $0.until.map(CalendarDate.init(_:)))
      })
  }

  static func party(_ party: DemoParty) -> Party {
    var message = Party(sourceKey: party.sourceKey, phones: party.phones, emails: party.emails)
    switch party.subject {
    case .company(let name, let shortName): message.kind = .company(Company(name: name, shortName: shortName))
    case .person(let family, let given, let full, let birthDate, let isFemale):
      message.kind = .person(
        Person(
          familyName: family, givenName: given, fullName: full, birthDate: birthDate.map(CalendarDate.init(_:)),
          sex: isFemale.map { $0 ? .female : .male } ?? .unspecified))
    }
    message.identifiers = party.identifiers.map {
      Identifier(type: IdentifierType(rawValue: Int32($0.kind.rawValue)), issuer: $0.issuer, value: $0.value)
    }
    if !party.street.isEmpty {
      message.addresses = [
        Address(
          lines: [party.street], district: party.district, city: party.city, province: party.province,
          postalCode: party.postalCode, countryCode: "CN")
      ]
    }
    return message
  }

  /// Observed until the end of the history, ended or not, so that figures do not change with the day on which one looks.
  static func policy(_ policy: DemoPolicy) -> Policy {
    Policy(
      sourceKey: policy.sourceKey, policyholderSourceKey: policy.holderKey, productCode: policy.productCode,
      channel: Channel(rawValue: Int32(policy.channel.rawValue)),
      state: PolicyState(rawValue: Int32(policy.state.rawValue)), annualPremium: yuan(policy.annualPremium),
      premiumFrequency: API.PremiumFrequency(rawValue: Int32(policy.frequency.rawValue)),
      sumAssured: yuan(policy.sumAssured), issueDate: CalendarDate(policy.issueDate),
      endDate: policy.endDate.map(CalendarDate.init(_:)),
      observedUntilDate: CalendarDate(DemoTime.asOf), agentID: policy.agentCode,
      partnerID: policy.partnerCode, branchID: policy.branchCode,
      endCause: policy.endCause.map { API.EndCause(rawValue: Int32($0.rawValue)) } ?? .unspecified)
  }

  static func premium(_ instalment: DemoInstalment, of policy: DemoPolicy) -> ImportPremiumRow {
    var premium = PremiumInstalment(dueDate: CalendarDate(instalment.dueDate), due: yuan(instalment.due))
    if let received = instalment.receivedDate {
      premium.receivedDate = CalendarDate(received)
      premium.received = yuan(instalment.due)
      premium.method = instalment.isAutomaticLoan ? .automaticLoan : .cash
    }
    return ImportPremiumRow(policySourceKey: policy.sourceKey, premium: premium)
  }

  static func activity(_ activity: DemoActivity, agentID: String, partyID: String) -> Activity {
    Activity(
      agentID: agentID, partyID: partyID, kind: ActivityKind(rawValue: Int32(activity.kind)),
      outcome: ActivityOutcome(rawValue: Int32(activity.outcome)),
      activityTime: GoogleTimestamp(seconds: Int64(activity.seconds)), durationMinutes: Int32(activity.minutes),
      notes: activity.notes)
  }

  private static func yuan(_ fen: Int) -> API.Money { API.Money(currencyCode: "CNY", minorUnits: Int64(fen)) }
}
