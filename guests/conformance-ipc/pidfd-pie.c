// Processes by file descriptor: pidfd_open, CLONE_PIDFD, pidfd_send_signal, pidfd_getfd, waitid(P_PIDFD), poll.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

extern char **environ;
static char *self;

static int pidfd_open_(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int send_signal(int fd, int signal, siginfo_t *info, unsigned flags) {
  return syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}
static int getfd(int pidfd, int fd, unsigned flags) { return syscall(SYS_pidfd_getfd, pidfd, fd, flags); }

static void show(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: %s\n", what, result == 0 ? "0" : "positive");
}

static pid_t spawn(char *role) {
  char *arguments[] = {self, role, NULL};
  pid_t child = -1;
  int error = posix_spawn(&child, self, NULL, NULL, arguments, environ);
  if (error != 0) printf("posix_spawn: %s\n", strerror(error));
  return child;
}

static void wait_for(const char *what, int fd, int options) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  int status = waitid(P_PIDFD, fd, &info, options);
  if (status < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: pid %d, code %d, status %d\n", what, info.si_pid != 0, info.si_code, info.si_status);
}

static void poll_for(const char *what, int fd, int timeout) {
  struct pollfd entry = {fd, POLLIN, 0};
  int count = poll(&entry, 1, timeout);
  printf("%s: %d, %x\n", what, count, entry.revents & POLLIN);
}

static int at_once(void *argument) {
  (void)argument;
  _exit(7);
}

static volatile sig_atomic_t value;
static void handler(int signal, siginfo_t *info, void *context) {
  (void)context;
  value = signal * 1000 + info->si_value.sival_int;
  printf("signal %d, code %d, value %d\n", signal, info->si_code, info->si_value.sival_int);
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IONBF, 0);
  self = arguments[0];
  if (count > 1) {
    for (;;) pause();
  }
  pid_t child = spawn("wait");
  int fd = pidfd_open_(child, 0);
  show("pidfd_open", fd > 0 ? 1 : fd);
  printf("close on exec %d, blocking %d\n", fcntl(fd, F_GETFD), (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
  poll_for("while it runs", fd, 0);
  wait_for("no news", fd, WEXITED | WNOHANG);
  show("signal 0", send_signal(fd, 0, NULL, 0));
  int quick = pidfd_open_(child, O_NONBLOCK);
  wait_for("not blocking", quick, WEXITED);
  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {.u32 = 5}}, got[1];
  show("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  printf("epoll %d\n", epoll_wait(epoll, got, 1, 0));
  show("SIGTERM", send_signal(fd, SIGTERM, NULL, 0));
  poll_for("when it has ended", fd, 10000);
  printf("epoll %d\n", epoll_wait(epoll, got, 1, 10000));
  show("signal to what has ended", send_signal(fd, SIGTERM, NULL, 0));
  wait_for("peeking", fd, WEXITED | WNOWAIT);
  wait_for("waiting", fd, WEXITED);
  wait_for("waiting again", fd, WEXITED);
  show("signal to nobody", send_signal(fd, SIGTERM, NULL, 0));
  poll_for("still", fd, 0);
  char byte;
  show("read", read(fd, &byte, 1));

  static char stack[65536];
  int cloned = -1;
  pid_t other = clone(at_once, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, NULL, &cloned);
  show("clone", other);
  printf("its pidfd %d, close on exec %d\n", cloned >= 0, fcntl(cloned, F_GETFD));
  wait_for("cloned", cloned, WEXITED);
  show("clone with both", clone(at_once, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &cloned));
  show("clone nowhere", clone(at_once, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, NULL, (void *)16));

  int me = pidfd_open_(getpid(), 0), ends[2];
  if (pipe(ends) != 0) return 1;
  int copy = getfd(me, ends[0], 0);
  printf("copy %d, close on exec %d\n", copy >= 0, fcntl(copy, F_GETFD));
  if (write(ends[1], "!", 1) != 1 || read(copy, &byte, 1) != 1) return 2;
  printf("read %c\n", byte);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_signo = SIGUSR1;
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 42;
  show("to oneself", send_signal(me, SIGUSR1, &info, 0));
  show("another signal", send_signal(me, SIGUSR2, &info, 0));
  show("child by pidfd of oneself", waitid(P_PIDFD, me, &info, WEXITED));

  show("no such process", pidfd_open_(1 << 22, 0));
  show("negative", pidfd_open_(-1, 0));
  show("zero", pidfd_open_(0, 0));
  show("unknown flags", pidfd_open_(getpid(), 1));
  show("signal by a pipe", send_signal(ends[0], 0, NULL, 0));
  show("signal by nothing", send_signal(-1, 0, NULL, 0));
  show("signal 99", send_signal(me, 99, NULL, 0));
  show("information nowhere", send_signal(me, SIGUSR1, (siginfo_t *)16, 0));
  show("flags", send_signal(me, 0, NULL, 1 << 20));
  show("getfd of nothing", getfd(me, 999, 0));
  show("getfd by a pipe", getfd(ends[0], 0, 0));
  show("getfd flags", getfd(me, 0, 1));
  wait_for("waitid of a pipe", ends[0], WEXITED);
  wait_for("waitid of nothing", 999, WEXITED);
  wait_for("waitid of a negative one", -1, WEXITED);
  return 0;
}
