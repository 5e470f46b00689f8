/* poll, ppoll, select, pselect. */
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int p[2], q[2];
static int signalled;
static void on_alarm(int s) { (void)s; signalled++; }

static void *waker(void *arg) {
  usleep(30000);
  write(*(int *)arg, "w", 1);
  return NULL;
}

static long sets(fd_set *r, fd_set *w, fd_set *e) {
  long sum = 0;
  int fds[] = {p[0], p[1], q[0], q[1]};
  for (int i = 0; i < 4; i++)
    sum = sum * 10 + (FD_ISSET(fds[i], r) ? 1 : 0) + (FD_ISSET(fds[i], w) ? 2 : 0) + (FD_ISSET(fds[i], e) ? 4 : 0);
  return sum;
}

int main(void) {
  pthread_t thread;
  char c[16];
  pipe(p);
  pipe(q);
  SECTION("poll");
  struct pollfd f[4] = {{p[0], POLLIN, -1}, {p[1], POLLOUT, -1}, {-5, POLLIN, -1}, {900, POLLIN, -1}};
  R(poll(f, 4, 0));
  for (int i = 0; i < 4; i++) V(f[i].revents);
  R(poll(f, 1, 0)); V(f[0].revents);
  write(p[1], "x", 1);
  R(poll(f, 1, -1)); V(f[0].revents);
  f[0].events = 0; R(poll(f, 1, 0)); V(f[0].revents);
  f[0].events = POLLIN | POLLRDNORM | POLLPRI; R(poll(f, 1, 0)); V(f[0].revents);
  read(p[0], c, 1);
  R(poll(NULL, 0, 10));
  R(poll(f, 1u << 30, 0));
  R(poll((struct pollfd *)8, 1, 0));
  pthread_create(&thread, NULL, waker, &p[1]);
  R(poll(f, 1, 2000)); V(f[0].revents); pthread_join(thread, NULL); read(p[0], c, 1);
  int reg = open("/proc/self/exe", O_RDONLY);
  struct pollfd file = {reg, POLLIN | POLLOUT | POLLPRI, 0};
  R(poll(&file, 1, 0)); V(file.revents);

  SECTION("ppoll");
  struct timespec ts = {0, 20000000};
  R(ppoll(f, 1, &ts, NULL)); V(f[0].revents);
  ts.tv_nsec = 1000000000; R(ppoll(f, 1, &ts, NULL));
  ts.tv_nsec = 0; ts.tv_sec = -1; R(ppoll(f, 1, &ts, NULL));
  signal(SIGALRM, on_alarm);
  sigset_t block, empty, now;
  sigemptyset(&empty); sigemptyset(&block); sigaddset(&block, SIGALRM);
  sigprocmask(SIG_BLOCK, &block, NULL);
  raise(SIGALRM);
  V(signalled);
  ts.tv_sec = 1; R(ppoll(f, 1, &ts, &empty)); V(signalled);
  sigprocmask(SIG_BLOCK, NULL, &now); V(sigismember(&now, SIGALRM));
  ts.tv_sec = 0; raise(SIGALRM); R(ppoll(f, 1, &ts, &empty)); V(signalled);
  write(p[1], "x", 1); raise(SIGALRM); ts.tv_sec = 1;
  R(ppoll(f, 1, &ts, &empty)); V(signalled);
  sigprocmask(SIG_UNBLOCK, &block, NULL); V(signalled);
  read(p[0], c, 1);
  struct itimerval timer = {.it_value.tv_usec = 20000};
  setitimer(ITIMER_REAL, &timer, NULL);
  R(poll(f, 1, 2000)); V(signalled);

  SECTION("select");
  fd_set r, w, e;
  struct timeval tv = {0, 0};
#define ALL(set) do { FD_ZERO(&set); FD_SET(p[0], &set); FD_SET(p[1], &set); FD_SET(q[0], &set); FD_SET(q[1], &set); } while (0)
  ALL(r); ALL(w); ALL(e);
  R(select(q[1] + 1, &r, &w, &e, &tv)); V(sets(&r, &w, &e));
  write(p[1], "x", 1);
  ALL(r); ALL(w); ALL(e);
  R(select(q[1] + 1, &r, &w, &e, &tv)); V(sets(&r, &w, &e));
  close(q[0]);
  FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&e); FD_SET(q[1], &w); FD_SET(q[1], &r);
  R(select(q[1] + 1, &r, &w, NULL, &tv)); V(sets(&r, &w, &e));
  FD_ZERO(&r); FD_SET(q[0], &r);
  R(select(q[0] + 1, &r, NULL, NULL, &tv));
  R(select(-1, NULL, NULL, NULL, &tv));
  tv.tv_sec = -1; R(select(0, NULL, NULL, NULL, &tv));
  tv.tv_sec = 0; tv.tv_usec = 20000; R(select(0, NULL, NULL, NULL, &tv)); V(tv.tv_sec); V(tv.tv_usec);
  tv.tv_sec = 5; tv.tv_usec = 0; FD_ZERO(&r); FD_SET(p[0], &r);
  R(select(p[0] + 1, &r, NULL, NULL, &tv)); V(tv.tv_sec >= 4);
  read(p[0], c, 1);
  FD_ZERO(&r); FD_SET(p[0], &r);
  timer.it_value.tv_usec = 20000;
  setitimer(ITIMER_REAL, &timer, NULL);
  tv.tv_sec = 5; R(select(p[0] + 1, &r, NULL, NULL, &tv)); V(FD_ISSET(p[0], &r)); V(signalled);
  sigprocmask(SIG_BLOCK, &block, NULL);
  raise(SIGALRM);
  ts.tv_sec = 1; ts.tv_nsec = 0;
  R(pselect(p[0] + 1, &r, NULL, NULL, &ts, &empty)); V(signalled);
  ts.tv_sec = 0; FD_ZERO(&r); FD_SET(p[0], &r);
  R(pselect(p[0] + 1, &r, NULL, NULL, &ts, &empty)); V(FD_ISSET(p[0], &r));
  return 0;
}
