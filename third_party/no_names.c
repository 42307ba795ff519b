/* What gRPC, c-ares and OpenSSL refer to and no part of hv calls: the names of hosts and services,
 * and plug-ins. In a static program glibc would bring code for them and still want its shared
 * libraries at run time. Here nobody has a name and nothing can be plugged in. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char* name, const char* service, const struct addrinfo* req,
                struct addrinfo** pai) {
  (void)name, (void)service, (void)req, (void)pai;
  return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo* ai) { (void)ai; }

int getnameinfo(const struct sockaddr* sa, socklen_t salen, char* host, socklen_t hostlen,
                char* serv, socklen_t servlen, int flags) {
  (void)sa, (void)salen, (void)host, (void)hostlen, (void)serv, (void)servlen, (void)flags;
  return EAI_FAIL;
}

struct hostent* gethostbyname(const char* name) {
  (void)name;
  return NULL;
}

struct servent* getservbyname(const char* name, const char* proto) {
  (void)name, (void)proto;
  return NULL;
}

int getservbyport_r(int port, const char* proto, struct servent* result_buf, char* buf,
                    size_t buflen, struct servent** result) {
  (void)port, (void)proto, (void)result_buf, (void)buf, (void)buflen;
  *result = NULL;
  return ENOENT;
}

/* For dlopen (--wrap): glibc has its own in any static program, and warns of who refers to it. */
void* __wrap_dlopen(const char* file, int mode);
void* __wrap_dlopen(const char* file, int mode) {
  (void)file, (void)mode;
  return NULL;
}
