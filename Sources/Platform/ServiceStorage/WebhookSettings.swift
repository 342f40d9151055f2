import ServiceRuntime
import Storage
import UseCases
import WebhookSending
import Webhooks

/// How a service sends its events outside.
enum WebhookKeys {
  static let keyFile = ConfigurationKey(
    "webhooks.key_file", "file that the secrets of webhooks are derived from, made if missing; no webhooks if empty",
    default: "")
  static let allowedHosts = ConfigurationKey(
    "webhooks.allowed_hosts",
    "hosts with commas between that may have private addresses and speak plain HTTP; others must be public", default: ""
  )
  static let authority = ConfigurationKey(
    "webhooks.authority", "certificates that endpoints must come from, PEM; the system's if empty", default: "")
  static let all = [keyFile, allowedHosts, authority]
}

extension ServiceEnvironment {
  /// The webhooks of a service with events: those that it sends, and what it takes.
  func webhooks(
    _ foundation: ServiceFoundation, on database: any Database, taking kinds: [PostKind]
  ) throws -> (out: Webhooks, inbox: WebhookInbox) {
    let keyFile = configuration.path(WebhookKeys.keyFile.name)
    let hosts = configuration.text(WebhookKeys.allowedHosts.name).lowercased().split { $0 == "," || $0 == " " }
    let webhooks = Webhooks(
      database: database, clock: clock, random: random, log: foundation.log, lease: foundation.lease,
      sender: WebhookSender(authorities: configuration.path(WebhookKeys.authority.name)),
      key: keyFile.isEmpty ? nil : try WebhookKey(path: keyFile, random: random),
      allowedHosts: Set(hosts.map(String.init)))
    foundation.retention.hold { try await webhooks.neededBehind() }
    let inbox = WebhookInbox(
      database: database, clock: clock, random: random, key: webhooks.signingKey, kinds: kinds)
    return (webhooks, inbox)
  }
}
