#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// One POST: what libcurl works on, and what came of it. curl_easy_setopt takes variable arguments, which Swift cannot call.
typedef struct {
  CURL *easy;
  struct curl_slist *headers;
  int allows_private;
  int met_private;
  char error[CURL_ERROR_SIZE];
} mainstay_post;

// Whether an IPv4 address (host order) is one of the public internet: not one of IANA's special-purpose registry (RFC 6890).
static inline int mainstay_is_public_v4(uint32_t a) {
  return !((a >> 24) == 0 || (a >> 24) == 10 || (a >> 24) == 127 || (a >> 22) == (100u << 2 | 1) ||
           (a >> 16) == (169u << 8 | 254) || (a >> 20) == (172u << 4 | 1) || (a >> 16) == (192u << 8 | 168) ||
           (a >> 8) == (192u << 16) || (a >> 8) == (192u << 16 | 0 << 8 | 2) || (a >> 17) == (198u << 7 | 9) ||
           (a >> 8) == (198u << 16 | 51 << 8 | 100) || (a >> 8) == (203u << 16 | 0 << 8 | 113) || (a >> 28) >= 14);
}

static inline int mainstay_is_public(const struct sockaddr *address) {
  if (address->sa_family == AF_INET) {
    return mainstay_is_public_v4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6) return 0;
  const uint8_t *b = ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr;
  // Only 2000::/3 is given out; of that not Teredo, documentation and 6to4, which lead to IPv4 addresses or nowhere.
  if ((b[0] >> 5) != 1) return 0;
  if (b[0] == 0x20 && b[1] == 0x01 && ((b[2] == 0 && b[3] == 0) || (b[2] == 0x0d && b[3] == 0xb8))) return 0;
  return !(b[0] == 0x20 && b[1] == 0x02);
}

// Asked for each address that a name has led to, so that no answer of a name server opens the way inside.
static curl_socket_t mainstay_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  mainstay_post *post = context;
  if (!post->allows_private && !mainstay_is_public(&address->addr)) {
    post->met_private = 1;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// The reply's content does not matter: more than a little of it ends the transfer.
static size_t mainstay_discard(char *data, size_t size, size_t count, void *context) {
  (void)data;
  size_t *left = context;
  if (size * count > *left) return 0;
  *left -= size * count;
  return size * count;
}

static inline void mainstay_post_free(mainstay_post *post) {
  curl_easy_cleanup(post->easy);
  curl_slist_free_all(post->headers);
  free(post);
}

static inline mainstay_post *mainstay_post_make(const char *url, const void *body, long length, int allows_private,
                                                long timeout_ms, const char *authorities, size_t *reply_bytes) {
  mainstay_post *post = calloc(1, sizeof *post);
  if (!post) return NULL;
  CURL *easy = post->easy = curl_easy_init();
  if (!easy) {
    free(post);
    return NULL;
  }
  post->allows_private = allows_private;
  int failed = 0;
  failed |= curl_easy_setopt(easy, CURLOPT_URL, url);
  // Without TLS only where private addresses are allowed: a machine's own loopback, in development.
  failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, allows_private ? "http,https" : "https");
  failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
  failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, length);
  failed |= curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
  failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
  failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, mainstay_open_socket);
  failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, post);
  failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, mainstay_discard);
  failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply_bytes);
  failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
  if (authorities && *authorities) failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
  if (failed) {
    mainstay_post_free(post);
    return NULL;
  }
  return post;
}

static inline int mainstay_post_header(mainstay_post *post, const char *line) {
  struct curl_slist *longer = curl_slist_append(post->headers, line);
  if (!longer) return 0;
  post->headers = longer;
  return curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, longer) == CURLE_OK;
}

// The next transfer that has ended, with its result and status; NULL if none has.
static inline mainstay_post *mainstay_post_ended(CURLM *multi, CURLcode *result, long *status) {
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    char *found = NULL;
    *result = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &found);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, status);
    curl_multi_remove_handle(multi, message->easy_handle);
    return (mainstay_post *)found;
  }
  return NULL;
}

static inline const char *mainstay_post_error(const mainstay_post *post) { return post->error; }
static inline int mainstay_post_met_private(const mainstay_post *post) { return post->met_private; }
