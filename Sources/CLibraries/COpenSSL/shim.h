/* What Swift cannot import by itself: OpenSSL's macros, accept4 and resource limits. */
#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

extern int accept4(int, struct sockaddr *, socklen_t *, int);
static inline void mainstay_keep_freed_memory(int kept, int mapped) {
  mallopt(M_TRIM_THRESHOLD, kept);
  mallopt(M_MMAP_THRESHOLD, mapped);
}
static inline int mainstay_accept(int listener, struct sockaddr *address, socklen_t *length) {
  return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Lets this process have as many descriptors as it may, at most so many. */
static inline void mainstay_raise_descriptor_limit(unsigned long most) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= most) return;
  limit.rlim_cur = limit.rlim_max < most ? limit.rlim_max : most;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static inline long mainstay_ctx_set_mode(SSL_CTX *context, long mode) { return SSL_CTX_set_mode(context, mode); }
static inline int mainstay_ctx_set_min_tls13(SSL_CTX *context) {
  return (int)SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
}
static inline long mainstay_ctx_set_groups(SSL_CTX *context, const char *groups) {
  return SSL_CTX_set1_groups_list(context, groups);
}
static inline void mainstay_ctx_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }
static inline void mainstay_ctx_keep_no_sessions(SSL_CTX *context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline void mainstay_ctx_keep_client_sessions(SSL_CTX *context, int (*keep)(SSL *, SSL_SESSION *)) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep);
}
/* Name of the key, key of the seal, key of the cipher. */
static inline void mainstay_ctx_copy_ticket_keys(SSL_CTX *context, SSL_CTX *from) {
  unsigned char keys[80];
  if (SSL_CTX_get_tlsext_ticket_keys(from, keys, sizeof keys) == 1)
    SSL_CTX_set_tlsext_ticket_keys(context, keys, sizeof keys);
  OPENSSL_cleanse(keys, sizeof keys);
}
static inline int mainstay_set_server_name(SSL *tls, const char *name) {
  return (int)SSL_set_tlsext_host_name(tls, name);
}
static inline EVP_PKEY *mainstay_p256_key(void) { return EVP_EC_gen("P-256"); }
static inline long mainstay_bio_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }
static inline void mainstay_v3_set_ctx(X509V3_CTX *context, X509 *issuer, X509 *subject) {
  X509V3_set_ctx_nodb(context);
  X509V3_set_ctx(context, issuer, subject, NULL, NULL, 0);
}
