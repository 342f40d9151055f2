import Core
import CustomerService
import Glibc
import RPCCore
import Storage
import UseCases

/// The customer service with further migrations.
struct NextCustomer: DatabaseService {
  static let aggregates = CustomerServiceApplication.aggregates
  static var migrations: [Migration] {
    let today = CustomerServiceApplication.migrations
    let version = (today.filter { $0.component == "service" }.map(\.version).max() ?? 0) + 1
    let expansion = Migration.keyed(version: version, name: "remarks", effect: .expands) { keyed in
      [
        "ALTER TABLE party ADD COLUMN remarks INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE remark (party_id TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (party_id, number)) \(keyed)",
        "CREATE INDEX party_by_remarks ON party (remarks, party_id)",
      ]
    }
    let contraction = Migration(
      version: version + 1, name: "no remarks",
      statements: ["DROP INDEX party_by_remarks", "ALTER TABLE party DROP COLUMN remarks"])
    let contracts = getenv("NEXT_CUSTOMER").map { String(cString: $0) } == "contracts"
    return today + [expansion] + (contracts ? [contraction] : [])
  }

  private let today: CustomerServiceApplication

  init(database: any Database, clock: any Clock, random: any RandomSource, replica: String) async throws {
    today = try await CustomerServiceApplication(database: database, clock: clock, random: random, replica: replica)
  }

  var foundation: ServiceFoundation { today.foundation }
  var ownMethodBindings: [MethodBinding] { today.ownMethodBindings }
}
