/* AF_UNIX: pairs, streams, datagrams, names, backlog, shutdown, ancillary data, options. */
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

static char buffer[300000];
static int sv[2];

static int events(int fd) {
  struct pollfd f = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
  poll(&f, 1, 0);
  return f.revents;
}

static long fill(int fd, size_t size) {
  long total = 0, n;
  while ((n = send(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) total += n;
  return total;
}

static struct sockaddr_un name(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strcpy(a.sun_path, path);
  return a;
}
#define ADDR(a) (struct sockaddr *)&(a), sizeof(a)

static void show_name(int line, int fd, int peer) {
  struct sockaddr_un a;
  socklen_t length = sizeof a;
  memset(&a, 'x', sizeof a);
  int r = peer ? getpeername(fd, (struct sockaddr *)&a, &length) : getsockname(fd, (struct sockaddr *)&a, &length);
  if (r != 0) printf("%d: name %s\n", line, error_name(errno));
  else printf("%d: name %d %u \"%.*s\"\n", line, a.sun_family, length, length > 2 ? (int)length - 2 : 0, a.sun_path);
}
#define NAME(fd) show_name(__LINE__, fd, 0)
#define PEER(fd) show_name(__LINE__, fd, 1)

static int option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0) return -errno;
  return value;
}

static void *connector(void *arg) {
  struct sockaddr_un a = name(arg);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  usleep(20000);
  connect(fd, ADDR(a));
  send(fd, "hello", 5, 0);
  char reply[16] = {0};
  recv(fd, reply, 16, 0);
  close(fd);
  return NULL;
}

static void *drain(void *arg) {
  long *total = arg, n;
  static char some[5000];
  while ((n = recv(sv[1], some, sizeof some, 0)) > 0) *total += n;
  return NULL;
}

static long send_fd(int socket, int fd, const char *text) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec iov = {(char *)text, strlen(text)};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET; c->cmsg_type = SCM_RIGHTS; c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return sendmsg(socket, &m, 0);
}

static int receive_fd(int line, int socket, size_t room, int flags) {
  char control[256], text[64] = {0};
  struct iovec iov = {text, sizeof text - 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
  long n = recvmsg(socket, &m, flags);
  int fd = -1;
  printf("%d: recvmsg = %ld \"%s\" flags %x controllen %zu", line, n, text, m.msg_flags, (size_t)m.msg_controllen);
  for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c; c = CMSG_NXTHDR(&m, c)) {
    printf(" [level %d type %d len %zu]", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
    if (c->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(c), sizeof fd);
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred cred;
      memcpy(&cred, CMSG_DATA(c), sizeof cred);
      printf(" pid %s", cred.pid == getpid() ? "mine" : "other");
    }
  }
  puts("");
  return fd;
}

int main(void) {
  char c[64];
  int n;
  pthread_t thread;
  signal(SIGPIPE, SIG_IGN);
  char directory[] = "/tmp/conformance-sockets-XXXXXX";
  mkdtemp(directory);
  chdir(directory);

  SECTION("creation");
  R(socket(AF_UNIX, 99, 0)); R(socket(AF_UNIX, SOCK_STREAM, 5)); R(socket(AF_UNIX, 4, 0)); R(socket(77, SOCK_STREAM, 0));
  R(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8));
  R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv));
  V(fcntl(sv[0], F_GETFD)); V(fcntl(sv[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  struct stat st;
  fstat(sv[0], &st); V(S_ISSOCK(st.st_mode));
  R(lseek(sv[0], 0, SEEK_CUR)); R(bind(0, NULL, 0)); R(listen(999, 1));
  NAME(sv[0]); PEER(sv[0]);

  SECTION("stream");
  V(events(sv[0]));
  R(recv(sv[0], c, 10, 0));
  R(send(sv[0], "abc", 3, 0)); R(send(sv[0], "def", 3, 0)); V(events(sv[1]));
  R(ioctl(sv[1], FIONREAD, &n)); V(n);
  R(recv(sv[1], c, 4, MSG_PEEK)); R(recv(sv[1], c, 4, 0)); R(recv(sv[1], c, 64, 0)); R(recv(sv[1], c, 64, 0));
  R(send(sv[0], "", 0, 0)); R(recv(sv[1], c, 10, 0));
  V(fill(sv[0], 1)); V(events(sv[0]));
  R(recv(sv[1], buffer, sizeof buffer, 0));
  V(events(sv[0]));
  V(fill(sv[0], 1000)); while (recv(sv[1], buffer, sizeof buffer, 0) > 0) {}
  V(fill(sv[0], 100000)); while (recv(sv[1], buffer, sizeof buffer, 0) > 0) {}
  R(shutdown(sv[0], 9)); R(shutdown(sv[0], SHUT_WR)); V(events(sv[0])); V(events(sv[1]));
  R(send(sv[0], "x", 1, 0)); R(recv(sv[1], c, 1, 0)); R(send(sv[1], "back", 4, 0)); R(recv(sv[0], c, 10, 0));
  send(sv[1], "unread", 6, 0);
  close(sv[0]); V(events(sv[1]));
  R(send(sv[1], "x", 1, 0)); R(recv(sv[1], c, 1, 0)); R(recv(sv[1], c, 1, 0));
  close(sv[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
  long total = 0;
  pthread_create(&thread, NULL, drain, &total);
  R(send(sv[0], buffer, sizeof buffer, 0)); R(write(sv[0], buffer, sizeof buffer));
  shutdown(sv[0], SHUT_WR); pthread_join(thread, NULL); V(total);
  close(sv[0]); close(sv[1]);

  SECTION("names");
  int l = socket(AF_UNIX, SOCK_STREAM, 0), k = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), a;
  struct sockaddr_un here = name("listener"), missing = name("missing"), plain = name("plain");
  close(open("plain", O_CREAT | O_WRONLY, 0600));
  V(events(k)); NAME(k); PEER(k);
  R(listen(l, 1)); R(accept(l, NULL, NULL)); R(send(k, "x", 1, 0)); R(recv(k, c, 1, 0));
  R(bind(l, ADDR(here))); R(bind(k, ADDR(here))); R(bind(l, ADDR(missing)));
  R(bind(k, (struct sockaddr *)&here, 1)); R(bind(k, (struct sockaddr *)&here, 200));
  NAME(l);
  stat("listener", &st); V(S_ISSOCK(st.st_mode)); R(open("listener", O_RDWR));
  R(connect(k, ADDR(missing))); R(connect(k, ADDR(plain))); R(connect(k, ADDR(here)));
  R(listen(l, 1)); V(events(l)); V(option(l, SO_ACCEPTCONN));
  R(connect(k, ADDR(here))); V(events(k)); V(events(l)); PEER(k); R(connect(k, ADDR(here)));
  R(send(k, "early", 5, 0));
  int k2 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), k3 = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R(connect(k2, ADDR(here))); R(connect(k3, ADDR(here)));
  struct sockaddr_un from; socklen_t length = sizeof from;
  a = accept4(l, (struct sockaddr *)&from, &length, SOCK_NONBLOCK); V(a >= 0); V(length);
  V(fcntl(a, F_GETFL) & O_NONBLOCK); NAME(a); PEER(a);
  R(recv(a, c, 10, 0)); R(recv(a, c, 10, 0)); R(send(a, "answer", 6, 0)); R(recv(k, c, 10, 0));
  close(a); R(recv(k, c, 10, 0)); V(events(k));
  int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  R(connect(datagram, ADDR(here)));
  close(l); V(events(k2)); R(recv(k2, c, 10, 0)); R(recv(k2, c, 10, 0)); R(connect(k3, ADDR(here)));
  close(k); close(k2); close(k3);
  R(unlink("listener"));
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(l, ADDR(here)); listen(l, 5);
  pthread_create(&thread, NULL, connector, "listener");
  a = accept(l, NULL, NULL); V(a >= 0);
  R(recv(a, c, 5, MSG_WAITALL)); R(send(a, "bye", 3, 0)); pthread_join(thread, NULL); R(recv(a, c, 5, 0));
  struct sockaddr_un abstract = {.sun_family = AF_UNIX, .sun_path = "\0conformance"};
  socklen_t abstract_length = offsetof(struct sockaddr_un, sun_path) + 12;
  int b = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(b, (struct sockaddr *)&abstract, abstract_length)); R(listen(b, 1));
  k = socket(AF_UNIX, SOCK_STREAM, 0);
  R(connect(k, (struct sockaddr *)&abstract, abstract_length)); R(connect(k, (struct sockaddr *)&abstract, abstract_length - 1));
  struct sockaddr_un got; length = sizeof got; getpeername(k, (struct sockaddr *)&got, &length); V(length); V(got.sun_path[0]);
  close(b); close(k); k = socket(AF_UNIX, SOCK_STREAM, 0);
  R(connect(k, (struct sockaddr *)&abstract, abstract_length));

  SECTION("datagrams");
  socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sv);
  R(send(sv[0], "first", 5, 0)); R(send(sv[0], "", 0, 0)); R(send(sv[0], "third message", 13, 0));
  R(ioctl(sv[1], FIONREAD, &n)); V(n);
  R(recv(sv[1], c, 3, MSG_TRUNC)); R(recv(sv[1], c, 3, 0)); R(recv(sv[1], c, 3, MSG_PEEK)); R(recv(sv[1], c, 64, 0)); R(recv(sv[1], c, 64, 0));
  R(send(sv[0], buffer, sizeof buffer, 0));
  struct sockaddr_un box = name("box");
  int d = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  R(bind(d, ADDR(box))); R(listen(d, 1)); R(accept(d, NULL, NULL)); R(send(d, "x", 1, 0));
  R(sendto(datagram, "to the box", 10, 0, ADDR(box)));
  length = sizeof from; R(recvfrom(d, c, 64, 0, (struct sockaddr *)&from, &length)); V(length);
  R(sendto(d, "to self", 7, 0, ADDR(box)));
  length = sizeof from; R(recvfrom(d, c, 64, 0, (struct sockaddr *)&from, &length)); V(length); puts(from.sun_path);
  R(sendto(datagram, "x", 1, 0, ADDR(missing)));
  R(connect(datagram, ADDR(box))); R(send(datagram, "connected", 9, 0)); V(events(d)); R(recv(d, c, 64, 0));
  fcntl(datagram, F_SETFL, O_NONBLOCK); n = 0; while (send(datagram, "x", 1, 0) == 1) n++; V(n); V(events(datagram));
  close(d); R(send(datagram, "x", 1, 0)); R(send(datagram, "x", 1, 0));
  close(sv[0]); R(recv(sv[1], c, 1, 0)); R(send(sv[1], "x", 1, 0)); V(events(sv[1]));
  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv);
  R(send(sv[0], "one", 3, 0)); R(send(sv[0], "three", 5, 0)); R(recv(sv[1], c, 2, 0)); R(recv(sv[1], c, 64, 0)); R(recv(sv[1], c, 64, 0));
  close(sv[0]); R(recv(sv[1], c, 64, 0)); R(send(sv[1], "x", 1, 0)); V(events(sv[1]));

  SECTION("ancillary");
  int p[2];
  pipe(p);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv);
  R(send_fd(sv[0], p[0], "fd")); R(send(sv[0], "more", 4, 0));
  int received = receive_fd(__LINE__, sv[1], 256, 0); V(received > 2);
  receive_fd(__LINE__, sv[1], 256, 0);
  write(p[1], "via", 3); close(p[0]); R(read(received, c, 10));
  R(fcntl(received, F_GETFD)); close(received);
  R(send_fd(sv[0], p[1], "x")); received = receive_fd(__LINE__, sv[1], 256, MSG_CMSG_CLOEXEC); V(fcntl(received, F_GETFD));
  R(send_fd(sv[0], p[1], "x")); receive_fd(__LINE__, sv[1], 0, 0);
  R(send_fd(sv[0], p[1], "x")); R(recv(sv[1], c, 10, 0));
  R(send_fd(sv[0], 999, "x"));
  int on = 1;
  R(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  R(send(sv[0], "who", 3, 0)); receive_fd(__LINE__, sv[1], 256, 0);
  R(send_fd(sv[0], p[1], "both")); receive_fd(__LINE__, sv[1], 256, 0);
  struct ucred cred; length = sizeof cred;
  R(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &cred, &length)); V(cred.pid == getpid()); V(length);

  SECTION("options");
  V(option(sv[0], SO_TYPE)); V(option(sv[0], SO_DOMAIN)); V(option(sv[0], SO_PROTOCOL)); V(option(sv[0], SO_ERROR));
  V(option(sv[0], SO_SNDBUF)); V(option(sv[0], SO_RCVBUF)); V(option(sv[1], SO_PASSCRED)); V(option(sv[0], SO_ACCEPTCONN));
  V(option(sv[0], SO_REUSEADDR)); V(option(sv[0], SO_KEEPALIVE)); V(option(sv[0], 12345));
  R(setsockopt(sv[0], SOL_SOCKET, SO_TYPE, &on, sizeof on)); R(setsockopt(sv[0], SOL_SOCKET, 12345, &on, sizeof on));
  R(setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, 2)); R(setsockopt(sv[0], 6, 1, &on, sizeof on));
  n = 20000; R(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof n)); V(option(sv[0], SO_SNDBUF));
  n = 1; R(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof n)); V(option(sv[0], SO_SNDBUF));
  struct timeval tv = {0, 30000};
  R(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  fcntl(sv[0], F_SETFL, 0); R(recv(sv[0], c, 1, 0));
  chdir("/");
  char path[200];
  const char *files[] = {"plain", "listener", "box"};
  for (int i = 0; i < 3; i++) { snprintf(path, sizeof path, "%s/%s", directory, files[i]); R(unlink(path)); }
  R(rmdir(directory) == 0);
  return 0;
}
