import MainstayTesting
import Testing

/// Does this with a system that is up, and takes it down whatever comes of it.
func withSystem(_ body: (RunningSystem) async throws -> Void) async throws {
  let system = try RunningSystem()
  let up = try await system.up()
  try #require(up.code == 0, "\(up.errors)")
  do { try await body(system) } catch {
    try await system.down()
    throw error
  }
  try await system.down()
}
