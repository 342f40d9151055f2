import API
import Core
import Demo

/// The steps of a load that make one call per record: what is there already is left as it is.
extension DemoLoad {
  func loadBranches(_ step: inout DemoStep) async throws {
    let client = AgentServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    branchIDs = Dictionary(
      uniqueKeysWithValues: try await session.all { token in
        let reply = try await client.listBranches(
          ListBranchesRequest(pageSize: 1_000, pageToken: token), options: session.unaryOptions())
        return (reply.branches, reply.nextPageToken)
      }.map { ($0.code, $0.branchID) })
    let missing = data.branches.filter { branchIDs[$0.code] == nil }
    let made = try await session.each(missing) { branch in
      try await client.createBranch(
        CreateBranchRequest(
          branch: Branch(code: branch.code, name: branch.name, region: branch.region),
          requestID: edition.requestID("branch-\(branch.code)")), options: session.unaryOptions())
    }
    for branch in made { branchIDs[branch.code] = branch.branchID }
    (step.created, step.unchanged) = (made.count, data.branches.count - made.count)
  }

  func loadTeams(_ step: inout DemoStep) async throws {
    let client = AgentServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    let there = try await session.all { token in
      let reply = try await client.listTeams(
        ListTeamsRequest(pageSize: 1_000, pageToken: token), options: session.unaryOptions())
      return (reply.teams, reply.nextPageToken)
    }
    teamIDs = Dictionary(uniqueKeysWithValues: there.map { ("\($0.branchID) \($0.name)", $0.teamID) })
    var missing: [(team: Team, key: String)] = []
    for (index, team) in data.teams.enumerated() {
      let branchID = branchIDs[team.branchCode] ?? ""
      if teamIDs["\(branchID) \(team.name)"] == nil {
        missing.append((Team(branchID: branchID, name: team.name), edition.requestID("team-\(index)")))
      }
    }
    let made = try await session.each(missing) { team, key in
      try await client.createTeam(CreateTeamRequest(team: team, requestID: key), options: session.unaryOptions())
    }
    for team in made { teamIDs["\(team.branchID) \(team.name)"] = team.teamID }
    (step.created, step.unchanged) = (made.count, data.teams.count - made.count)
  }

  func loadPartners(_ step: inout DemoStep) async throws {
    let client = PartnerServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    partnerIDs = Dictionary(
      uniqueKeysWithValues: try await session.all { token in
        let reply = try await client.listPartners(
          ListPartnersRequest(pageSize: 1_000, pageToken: token), options: session.unaryOptions())
        return (reply.partners, reply.nextPageToken)
      }.map { ($0.code, $0.partnerID) })
    let missing = data.partners.filter { partnerIDs[$0.code] == nil }
    let made = try await session.each(missing) { partner in
      try await client.createPartner(
        CreatePartnerRequest(
          partner: DemoMessages.partner(partner), requestID: edition.requestID("partner-\(partner.code)")),
        options: session.unaryOptions())
    }
    for partner in made { partnerIDs[partner.code] = partner.partnerID }
    (step.created, step.unchanged) = (made.count, data.partners.count - made.count)
  }

  func loadAgents(_ step: inout DemoStep) async throws {
    let client = AgentServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    var there = Dictionary(
      uniqueKeysWithValues: try await session.all { token in
        let reply = try await client.listAgents(
          ListAgentsRequest(pageSize: 1_000, pageToken: token), options: session.unaryOptions())
        return (reply.agents, reply.nextPageToken)
      }.map { ($0.code, $0) })
    let missing = data.agents.filter { there[$0.code] == nil }.map { agent in
      let branchID = branchIDs[agent.branchCode] ?? ""
      let teamID = agent.teamName.isEmpty ? "" : teamIDs["\(branchID) \(agent.teamName)"] ?? ""
      return DemoMessages.agent(
        agent, branchID: branchID, teamID: teamID, partnerID: partnerIDs[agent.partnerCode] ?? "")
    }
    let made = try await session.each(missing) { agent in
      try await client.createAgent(
        CreateAgentRequest(agent: agent, requestID: edition.requestID("agent-\(agent.code)")),
        options: session.unaryOptions())
    }
    for agent in made { there[agent.code] = agent }
    let changes = data.agents.compactMap { agent -> ChangeAgentStateRequest? in
      let state = AgentState(rawValue: Int32(agent.state.rawValue))
      guard let known = there[agent.code], known.state != state, let day = agent.stateDate else { return nil }
      return ChangeAgentStateRequest(
        agentID: known.agentID, state: state, effectiveDate: CalendarDate(day),
        reason: agent.state == .left ? "离职" : "合规调查", requestID: edition.requestID("state-\(agent.code)"))
    }
    _ = try await session.each(changes) { request in
      try await client.changeAgentState(request, options: session.unaryOptions())
    }
    agentIDs = there.mapValues(\.agentID)
    (step.created, step.unchanged) = (made.count, data.agents.count - made.count)
  }

  func loadProducts(_ step: inout DemoStep) async throws {
    let client = ProductServiceClient(channel: session.channel)
    let session = session
    let edition = edition
    let there = try await products()
    let insurers = partnerIDs
    let outcomes = try await session.each(data.products) { product -> Bool in
      let known: Product
      if let found = there[product.code] {
        known = found
      } else {
        known = try await client.createProduct(
          CreateProductRequest(
            product: DemoMessages.product(product, insurerID: insurers[product.insurerCode] ?? ""),
            requestID: edition.requestID("product-\(product.code)")), options: session.unaryOptions())
      }
      guard known.state == .onSale else { return there[product.code] == nil }
      for (index, day) in product.versionDays.enumerated().dropFirst(known.versions.count) {
        _ = try await client.addProductVersion(
          AddProductVersionRequest(
            productID: known.productID,
            version: ProductVersion(from: CalendarDate(day), description: "第\(index + 1)版条款与费率"),
            requestID: edition.requestID("version-\(product.code)-\(index)")), options: session.unaryOptions())
      }
      return there[product.code] == nil
    }
    step.created = outcomes.count { $0 }
    step.unchanged = outcomes.count - step.created
  }

  /// One after another, so that the last is only there when all are.
  func withdraw(_ step: inout DemoStep) async throws {
    let client = ProductServiceClient(channel: session.channel)
    let there = try await products()
    for product in data.products where product.isWithdrawn {
      guard let known = there[product.code], known.state == .onSale else {
        step.unchanged += 1
        continue
      }
      _ = try await session.persistently {
        try await client.withdrawProduct(
          WithdrawProductRequest(
            productID: known.productID, reason: self.edition.reason,
            requestID: self.edition.requestID("withdrawal-\(product.code)")), options: self.session.unaryOptions())
      }
      step.created += 1
    }
  }

  private func products() async throws -> [String: Product] {
    let client = ProductServiceClient(channel: session.channel)
    let session = session
    return Dictionary(
      uniqueKeysWithValues: try await session.all { token in
        let reply = try await client.listProducts(
          ListProductsRequest(pageSize: 1_000, pageToken: token), options: session.unaryOptions())
        return (reply.products, reply.nextPageToken)
      }.map { ($0.code, $0) })
  }
}
