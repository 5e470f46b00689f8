/* eventfd, timerfd, signalfd. */
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

static int events(int fd) {
  struct pollfd f = {.fd = fd, .events = POLLIN | POLLOUT};
  poll(&f, 1, 0);
  return f.revents;
}

static void *event_writer(void *arg) {
  usleep(20000);
  eventfd_write(*(int *)arg, 3);
  return NULL;
}

static void *event_reader(void *arg) {
  eventfd_t value;
  usleep(20000);
  eventfd_read(*(int *)arg, &value);
  return NULL;
}

static void settime(int fd, int flags, long first_ms, long interval_ms) {
  struct itimerspec t = {{interval_ms / 1000, interval_ms % 1000 * 1000000}, {first_ms / 1000, first_ms % 1000 * 1000000}};
  R(timerfd_settime(fd, flags, &t, NULL));
}

int main(void) {
  uint64_t value = 0;
  pthread_t thread;
  SECTION("eventfd");
  int fd = eventfd(7, EFD_NONBLOCK);
  V(events(fd));
  R(read(fd, &value, 4)); R(read(fd, &value, 8)); V(value); R(read(fd, &value, 8));
  V(events(fd));
  value = UINT64_MAX; R(write(fd, &value, 8));
  value = UINT64_MAX - 1; R(write(fd, &value, 8)); V(events(fd));
  value = 1; R(write(fd, &value, 8)); R(write(fd, &value, 7));
  R(read(fd, &value, 8)); V(value == UINT64_MAX - 1);
  R(lseek(fd, 0, SEEK_SET));
  R(eventfd(0, 12345));
  int sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
  V(fcntl(sem, F_GETFD)); V(fcntl(sem, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
  R(read(sem, &value, 8)); V(value); R(read(sem, &value, 8)); V(value); R(read(sem, &value, 8));
  int blocking = eventfd(0, 0);
  pthread_create(&thread, NULL, event_writer, &blocking);
  R(read(blocking, &value, 8)); V(value); pthread_join(thread, NULL);
  value = UINT64_MAX - 1; write(blocking, &value, 8);
  pthread_create(&thread, NULL, event_reader, &blocking);
  value = 9; R(write(blocking, &value, 8)); pthread_join(thread, NULL);
  R(read(blocking, &value, 8)); V(value);

  SECTION("timerfd");
  R(timerfd_create(99, 0)); R(timerfd_create(CLOCK_MONOTONIC, 1));
  int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec it = {{0, 0}, {0, 1000000000}};
  R(timerfd_settime(t, 0, &it, NULL)); R(timerfd_settime(t, 99, &it, NULL));
  it.it_value.tv_nsec = 1; R(timerfd_settime(fd, 0, &it, NULL));
  R(read(t, &value, 8)); V(events(t));
  R(timerfd_gettime(t, &it)); V(it.it_value.tv_sec); V(it.it_value.tv_nsec);
  settime(t, 0, 30, 0);
  R(timerfd_gettime(t, &it)); V(it.it_value.tv_nsec > 0 && it.it_value.tv_nsec <= 30000000); V(it.it_interval.tv_nsec);
  V(events(t));
  struct pollfd p = {t, POLLIN, 0};
  R(poll(&p, 1, 1000)); V(p.revents);
  R(read(t, &value, 4)); R(read(t, &value, 8)); V(value); R(read(t, &value, 8));
  R(timerfd_gettime(t, &it)); V(it.it_value.tv_nsec);
  settime(t, 0, 10, 10);
  usleep(105000);
  R(read(t, &value, 8)); V(value >= 9 && value <= 30);
  fcntl(t, F_SETFL, 0);
  R(read(t, &value, 8)); V(value == 1 || value == 2);
  settime(t, 0, 0, 0); V(events(t));
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  settime(t, TFD_TIMER_ABSTIME, now.tv_sec * 1000 + now.tv_nsec / 1000000 + 20, 0);
  R(read(t, &value, 8)); V(value);
  settime(t, TFD_TIMER_ABSTIME, 1, 0);
  R(read(t, &value, 8)); V(value);
  int wall = timerfd_create(CLOCK_REALTIME, 0);
  clock_gettime(CLOCK_REALTIME, &now);
  settime(wall, TFD_TIMER_ABSTIME, now.tv_sec * 1000 + now.tv_nsec / 1000000 + 20, 0);
  R(read(wall, &value, 8)); V(value);
  R(write(t, &value, 8));

  SECTION("signalfd");
  sigset_t set;
  sigemptyset(&set); sigaddset(&set, SIGUSR1); sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  R(signalfd(-1, &set, 12345)); R(signalfd(fd, &set, 0));
  int s = signalfd(-1, &set, SFD_NONBLOCK);
  struct signalfd_siginfo info[4];
  V(events(s)); R(read(s, info, sizeof *info)); R(read(s, info, 10));
  raise(SIGUSR1);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42});
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 43});
  V(events(s));
  long n = R(read(s, info, sizeof info));
  for (long i = 0; i < n / (long)sizeof *info; i++) {
    V(info[i].ssi_signo - (info[i].ssi_signo > 31 ? SIGRTMIN : 0)); V(info[i].ssi_code); V(info[i].ssi_int); V(info[i].ssi_pid == (unsigned)getpid());
  }
  R(read(s, info, sizeof info));
  sigaddset(&set, SIGUSR2); sigprocmask(SIG_BLOCK, &set, NULL);
  R(signalfd(s, &set, 0) == s);
  kill(getpid(), SIGUSR2);
  p.fd = s; R(poll(&p, 1, 1000)); V(p.revents);
  R(read(s, info, sizeof info)); V(info[0].ssi_signo);
  return 0;
}
