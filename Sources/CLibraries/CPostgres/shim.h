#include <libpq-fe.h>
// How the driver waits for its sockets; Swift's module of the C library leaves them out.
#include <sys/epoll.h>
#include <sys/eventfd.h>

// What Swift cannot import: macros that are characters.

/// The five characters of SQLSTATE; NULL when the failure has none, because the server did not report it.
static inline const char *mainstay_postgres_sqlstate(const PGresult *result) {
  return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

/// One line without values of rows, which the server puts into the detail.
static inline const char *mainstay_postgres_message(const PGresult *result) {
  return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}

/// The constraint that failed; NULL if none did.
static inline const char *mainstay_postgres_constraint(const PGresult *result) {
  return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

static inline void mainstay_postgres_ignore(void *context, const PGresult *result) {
  (void)context;
  (void)result;
}

/// Keeps notices ("schema exists already") off standard error.
static inline void mainstay_postgres_without_notices(PGconn *connection) {
  PQsetNoticeReceiver(connection, mainstay_postgres_ignore, (void *)0);
}
