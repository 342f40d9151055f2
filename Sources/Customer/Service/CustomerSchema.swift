import Storage

/// The customer service's own tables; README of services/customer tells what each is for.
enum CustomerSchema {
  static let migrations: [Migration] = [
    .keyed(version: 1, name: "parties and customers") { keyed in
      [
        """
        CREATE TABLE customer (
          customer_id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, create_time INTEGER NOT NULL,
          update_time INTEGER NOT NULL) \(keyed)
        """,
        // payload is a mainstay.customer.v1.Party of the facts alone. name_row is its row in party_name.
        """
        CREATE TABLE party (
          party_id TEXT NOT NULL PRIMARY KEY, source TEXT NOT NULL, source_key TEXT NOT NULL,
          version INTEGER NOT NULL, payload BLOB NOT NULL, name_row INTEGER NOT NULL, create_time INTEGER NOT NULL,
          update_time INTEGER NOT NULL) \(keyed)
        """,
        "CREATE UNIQUE INDEX party_by_source ON party (source, source_key)",
        "CREATE INDEX party_by_source_and_id ON party (source, party_id)",
        // Which customer a party belongs to: merging and unmerging change this table and no other.
        """
        CREATE TABLE membership (
          customer_id TEXT NOT NULL REFERENCES customer, party_id TEXT NOT NULL REFERENCES party,
          PRIMARY KEY (customer_id, party_id)) \(keyed)
        """,
        "CREATE UNIQUE INDEX membership_by_party ON membership (party_id)",
      ]
    },
    Migration(
      version: 2, name: "customers by name",
      statements: [
        """
        CREATE TABLE party_name (
          rowid INTEGER PRIMARY KEY NOT NULL, terms TEXT NOT NULL, party_id TEXT NOT NULL, length INTEGER NOT NULL)
        """,
        // The terms are folded and divided by us; "simple" only cuts them at blanks. The collation decides nothing here.
        "CREATE INDEX party_name_terms ON party_name USING gin (to_tsvector('simple', terms))",
      ],
      sqlite: [
        // The terms are folded and divided by us; "ascii" only cuts them at blanks.
        "CREATE VIRTUAL TABLE party_name USING fts5(terms, party_id UNINDEXED, length UNINDEXED, tokenize = 'ascii')"
      ]),
    .keyed(version: 3, name: "policies") { keyed in
      [
        // Led by the party, so that a customer's policies lie together and the table can be divided by party.
        // payload is a mainstay.customer.v1.Policy of the facts alone.
        """
        CREATE TABLE policy (
          party_id TEXT NOT NULL REFERENCES party, policy_id TEXT NOT NULL, source TEXT NOT NULL,
          source_key TEXT NOT NULL, version INTEGER NOT NULL, payload BLOB NOT NULL, create_time INTEGER NOT NULL,
          update_time INTEGER NOT NULL, PRIMARY KEY (party_id, policy_id)) \(keyed)
        """,
        "CREATE UNIQUE INDEX policy_by_id ON policy (policy_id)",
        "CREATE UNIQUE INDEX policy_by_source ON policy (source, source_key)",
        "CREATE INDEX policy_by_source_and_id ON policy (source, policy_id)",
      ]
    },
    .keyed(version: 4, name: "premiums") { keyed in
      [
        // payload is a mainstay.customer.v1.PremiumInstalment without its policy_id.
        """
        CREATE TABLE premium (
          policy_id TEXT NOT NULL, due_date TEXT NOT NULL, version INTEGER NOT NULL, payload BLOB NOT NULL,
          PRIMARY KEY (policy_id, due_date)) \(keyed)
        """
      ]
    },
  ]
}
