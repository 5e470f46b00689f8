/* epoll: errors, level and edge triggering, one-shot, order, nesting, closing, waking from other threads. */
#include "report.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

static struct epoll_event got[16];

static int ctl(int ep, int op, int fd, unsigned events, unsigned long data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  return epoll_ctl(ep, op, fd, &e);
}

static void show(int line, int ep, int max, int timeout) {
  int n = epoll_wait(ep, got, max, timeout);
  printf("%d: wait = %d %s", line, n, n < 0 ? error_name(errno) : "");
  for (int i = 0; i < n; i++) printf(" [%lu %x]", (unsigned long)got[i].data.u64, got[i].events);
  puts("");
}
#define W(ep, max, timeout) show(__LINE__, ep, max, timeout)

static int signalled;
static void on_alarm(int s) { (void)s; signalled++; }

static void *waker(void *arg) {
  usleep(30000);
  write(*(int *)arg, "w", 1);
  return NULL;
}

static void *adder(void *arg) {
  int *a = arg;
  usleep(30000);
  ctl(a[0], EPOLL_CTL_ADD, a[1], EPOLLIN, 77);
  return NULL;
}

int main(void) {
  int p[2], q[2], n;
  char c[64];
  pipe2(p, O_NONBLOCK);
  pipe2(q, O_NONBLOCK);

  SECTION("errors");
  R(epoll_create(0)); R(epoll_create1(1));
  int ep = epoll_create1(EPOLL_CLOEXEC);
  V(fcntl(ep, F_GETFD));
  R(ctl(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 1));
  R(ctl(999, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_DEL, p[0], 0, 1));
  R(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(ep, 9, p[0], EPOLLIN, 1));
  R(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], NULL));
  R(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
  int reg = open("/proc/self/exe", O_RDONLY), dir = open("/", O_RDONLY), null = open("/dev/null", O_RDONLY);
  R(ctl(ep, EPOLL_CTL_ADD, reg, EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_ADD, dir, EPOLLIN, 1));
  R(ctl(ep, EPOLL_CTL_ADD, null, EPOLLIN, 1));
  R(epoll_wait(ep, got, 0, 0)); R(epoll_wait(ep, got, -1, 0)); R(epoll_wait(p[0], got, 1, 0)); R(epoll_wait(999, got, 1, 0));

  SECTION("level");
  ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 10);
  ctl(ep, EPOLL_CTL_ADD, q[1], EPOLLOUT, 20);
  W(ep, 16, 0);
  write(p[1], "abc", 3);
  W(ep, 16, 0); W(ep, 16, 0);
  W(ep, 1, 0); W(ep, 1, 0); W(ep, 1, 0);
  read(p[0], c, 3);
  W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_MOD, q[1], 0, 21));
  W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_MOD, q[1], EPOLLOUT, 22));
  W(ep, 16, 0);
  ctl(ep, EPOLL_CTL_DEL, q[1], 0, 0);

  SECTION("edge");
  R(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 11));
  W(ep, 16, 0);
  write(p[1], "abc", 3); W(ep, 16, 0); W(ep, 16, 0);
  write(p[1], "d", 1); W(ep, 16, 0);
  read(p[0], c, 1); W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 12)); W(ep, 16, 0); W(ep, 16, 0);
  read(p[0], c, 10); W(ep, 16, 0);
  write(p[1], "e", 1); read(p[0], c, 1); W(ep, 16, 0);
  ctl(ep, EPOLL_CTL_DEL, p[0], 0, 0);
  ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 13); W(ep, 16, 0); W(ep, 16, 0);
  while (write(p[1], c, 64) > 0) {}
  W(ep, 16, 0); read(p[0], c, 1); W(ep, 16, 0);
  for (n = 0; n < 64; n++) read(p[0], c, 64);
  W(ep, 16, 0); W(ep, 16, 0);
  while (read(p[0], c, 64) > 0) {}
  W(ep, 16, 0);
  ctl(ep, EPOLL_CTL_DEL, p[1], 0, 0);

  SECTION("one-shot");
  write(p[1], "abc", 3);
  ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLONESHOT, 14); W(ep, 16, 0); W(ep, 16, 0);
  write(p[1], "d", 1); W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 15)); W(ep, 16, 0); W(ep, 16, 0);
  read(p[0], c, 64);

  SECTION("exclusive");
  int ev = eventfd(0, EFD_NONBLOCK);
  R(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLEXCLUSIVE, 16));
  R(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLIN, 16));
  R(ctl(ep, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLEXCLUSIVE, 16));
  eventfd_write(ev, 1); W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_DEL, ev, 0, 0));
  R(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 16));
  R(ctl(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 16));

  SECTION("hang-up");
  int sv[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv);
  R(ctl(ep, EPOLL_CTL_ADD, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 17)); W(ep, 16, 0); W(ep, 16, 0);
  write(sv[1], "x", 1); W(ep, 16, 0);
  read(sv[0], c, 1); W(ep, 16, 0);
  shutdown(sv[1], SHUT_WR); W(ep, 16, 0); W(ep, 16, 0);
  close(sv[1]); W(ep, 16, 0);
  close(sv[0]); W(ep, 16, 0);

  SECTION("closing");
  int r[2];
  pipe2(r, O_NONBLOCK);
  write(r[1], "x", 1);
  ctl(ep, EPOLL_CTL_ADD, r[0], EPOLLIN, 18);
  int copy = dup(r[0]);
  close(r[0]); W(ep, 16, 0);
  R(ctl(ep, EPOLL_CTL_DEL, r[0], 0, 0) == -1 && errno == EBADF);
  R(ctl(ep, EPOLL_CTL_ADD, copy, EPOLLIN, 19)); W(ep, 16, 0);
  close(copy); W(ep, 16, 0);

  SECTION("nesting");
  int outer = epoll_create1(0), chain[8];
  ctl(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 30);
  ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 31);
  W(outer, 16, 0); write(p[1], "x", 1); W(outer, 16, 0); W(ep, 16, 0); W(outer, 16, 0);
  read(p[0], c, 1); W(outer, 16, 0);
  R(ctl(ep, EPOLL_CTL_ADD, outer, EPOLLIN, 32));
  for (n = 0; n < 8; n++) chain[n] = epoll_create1(0);
  for (n = 0; n < 7; n++) R(ctl(chain[n + 1], EPOLL_CTL_ADD, chain[n], EPOLLIN, 0));
  struct epoll_event none = {0};
  (void)none;

  SECTION("threads");
  pthread_t thread;
  pthread_create(&thread, NULL, waker, &p[1]);
  W(ep, 16, -1); pthread_join(thread, NULL); read(p[0], c, 1);
  eventfd_write(ev, 5);
  int args[2] = {ep, ev};
  pthread_create(&thread, NULL, adder, args);
  W(ep, 16, 1000); pthread_join(thread, NULL);
  R(ctl(ep, EPOLL_CTL_DEL, ev, 0, 0));

  SECTION("timeouts and signals");
  struct timeval start, end;
  gettimeofday(&start, NULL);
  W(ep, 16, 50);
  gettimeofday(&end, NULL);
  long ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_usec - start.tv_usec) / 1000;
  V(ms >= 49);
  signal(SIGALRM, on_alarm);
  struct itimerval timer = {.it_value.tv_usec = 30000};
  setitimer(ITIMER_REAL, &timer, NULL);
  W(ep, 16, 2000); V(signalled);
  sigset_t block, empty;
  sigemptyset(&empty);
  sigemptyset(&block);
  sigaddset(&block, SIGALRM);
  sigprocmask(SIG_BLOCK, &block, NULL);
  raise(SIGALRM);
  V(signalled);
  R(epoll_pwait(ep, got, 16, 1000, &empty)); V(signalled);
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  V(sigismember(&now, SIGALRM));
  R(epoll_pwait(ep, got, 16, 10, &empty));
  return 0;
}
