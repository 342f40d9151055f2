/// The lock by which a migration sees that replicas are at work on a schema: each connection that writes has a share of it as long as
/// it stands.
enum ReplicaLock {
  /// The number says "Mainstay" like the migrations' own, next to it.
  private static let number = 1_296_979_797

  /// SQL for taking a share: 1, or 0 while a migration has it whole.
  static func share(_ schema: String) -> String {
    "pg_try_advisory_lock_shared(\(number), hashtext('\(schema)'))::integer::bigint"
  }

  /// SQL for taking it whole until the transaction ends: 1, or 0 while anybody has a share.
  static func exclusively(_ schema: String) -> String {
    "pg_try_advisory_xact_lock(\(number), hashtext('\(schema)'))::integer::bigint"
  }
}
