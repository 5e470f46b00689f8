// Clocks, sleeping, interval timers and POSIX timers.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;
static void tick(int signal) { (void)signal; ticks++; }

static volatile int timer_value, timer_code;
static void expired(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  timer_value = info->si_value.sival_int;
  timer_code = info->si_code;
  ticks++;
}

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void notify(union sigval value) { timer_value = value.sival_int; ticks++; }

// Waits for signals until there were enough of them, or 5 seconds are over.
static void wait_for(int wanted) {
  double start = now(CLOCK_MONOTONIC);
  while (ticks < wanted && now(CLOCK_MONOTONIC) - start < 5) usleep(500);
}

int main(void) {
  double before = now(CLOCK_MONOTONIC);
  struct timespec request = {0, 20000000}, rest;
  int status = nanosleep(&request, NULL);
  printf("nanosleep %d\n", status);
  printf("slept long enough %d\n", now(CLOCK_MONOTONIC) - before >= 0.02);
  double last = 0;
  int backwards = 0;
  for (int i = 0; i < 2000; i++) {
    double time = now(CLOCK_MONOTONIC);
    if (time < last) backwards++;
    last = time;
  }
  printf("backwards %d\n", backwards);
  struct timespec resolution;
  status = clock_getres(CLOCK_MONOTONIC, &resolution);
  printf("getres %d %ld %ld\n", status, (long)resolution.tv_sec, resolution.tv_nsec);
  struct timeval day;
  gettimeofday(&day, NULL);
  printf("same second %d\n", day.tv_sec - time(NULL) <= 1 && time(NULL) - day.tv_sec <= 1);
  printf("bad clock %d\n", clock_gettime(77, &resolution) == -1 && errno == EINVAL);

  // Processor time counts work, not sleep.
  double work = now(CLOCK_PROCESS_CPUTIME_ID), thread_work = now(CLOCK_THREAD_CPUTIME_ID);
  volatile unsigned x = 1;
  for (int i = 0; i < 3000000; i++) x = x * 1664525 + 1013904223;
  printf("worked %d %d\n", now(CLOCK_PROCESS_CPUTIME_ID) > work, now(CLOCK_THREAD_CPUTIME_ID) > thread_work);
  work = now(CLOCK_PROCESS_CPUTIME_ID);
  usleep(300000);
  printf("slept %d\n", now(CLOCK_PROCESS_CPUTIME_ID) - work < 0.15);

  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = tick;
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  struct itimerval interval = {{0, 5000}, {0, 5000}}, old;
  setitimer(ITIMER_REAL, &interval, NULL);
  wait_for(5);
  printf("ticks %d\n", ticks >= 5);
  getitimer(ITIMER_REAL, &old);
  printf("interval %ld.%06ld\n", (long)old.it_interval.tv_sec, (long)old.it_interval.tv_usec);
  memset(&interval, 0, sizeof interval);
  setitimer(ITIMER_REAL, &interval, &old);
  printf("old interval %ld\n", (long)old.it_interval.tv_usec);

  // Interrupted sleep tells what was left.
  interval.it_value.tv_usec = 10000;
  setitimer(ITIMER_REAL, &interval, NULL);
  request.tv_sec = 10;
  status = nanosleep(&request, &rest);
  printf("interrupted %d %d left %d\n", status, errno == EINTR, rest.tv_sec == 9 || rest.tv_sec == 10);
  printf("alarm %u\n", alarm(100));
  printf("alarm %u\n", alarm(0));
  struct timespec absolute;
  clock_gettime(CLOCK_REALTIME, &absolute);
  absolute.tv_nsec += 10000000;
  if (absolute.tv_nsec >= 1000000000) absolute.tv_nsec -= 1000000000, absolute.tv_sec++;
  printf("clock_nanosleep %d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &absolute, NULL));
  request.tv_nsec = 1000000000;
  printf("bad nanoseconds %d\n", nanosleep(&request, NULL) == -1 && errno == EINVAL);

  // Profiling: ticks of processor time.
  ticks = 0;
  struct itimerval profile = {{0, 10000}, {0, 10000}};
  setitimer(ITIMER_PROF, &profile, NULL);
  double start = now(CLOCK_MONOTONIC);
  while (ticks < 3 && now(CLOCK_MONOTONIC) - start < 10) x = x * 1664525 + 1013904223;
  memset(&profile, 0, sizeof profile);
  setitimer(ITIMER_PROF, &profile, NULL);
  printf("profiled %d\n", ticks >= 3);

  // POSIX timers.
  memset(&action, 0, sizeof action);
  action.sa_sigaction = expired;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGRTMIN + 1, &action, NULL);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 1;
  event.sigev_value.sival_int = 99;
  timer_t timer;
  ticks = 0;
  printf("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec setting = {{0, 4000000}, {0, 2000000}}, current;
  timer_settime(timer, 0, &setting, NULL);
  wait_for(3);
  printf("expired %d value %d code %d\n", ticks >= 3, timer_value, timer_code);
  timer_gettime(timer, &current);
  printf("interval %ld\n", current.it_interval.tv_nsec);
  memset(&setting, 0, sizeof setting);
  timer_settime(timer, 0, &setting, NULL);
  timer_gettime(timer, &current);
  printf("disarmed %ld %ld\n", (long)current.it_value.tv_sec, current.it_value.tv_nsec);

  // Expirations while the signal is blocked are overruns.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  setting.it_value.tv_nsec = setting.it_interval.tv_nsec = 2000000;
  timer_settime(timer, 0, &setting, NULL);
  usleep(30000);
  siginfo_t info;
  ticks = 0;
  sigwaitinfo(&set, &info);
  printf("overruns %d\n", info.si_overrun >= 5 && timer_getoverrun(timer) >= 5);
  printf("timer_delete %d\n", timer_delete(timer));

  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = notify;
  event.sigev_value.sival_int = 7;
  printf("timer_create %d\n", timer_create(CLOCK_REALTIME, &event, &timer));
  memset(&setting, 0, sizeof setting);
  setting.it_value.tv_nsec = 3000000;
  timer_settime(timer, 0, &setting, NULL);
  wait_for(1);
  printf("thread notified %d value %d\n", (int)ticks, timer_value);
  timer_delete(timer);

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  pthread_mutex_lock(&mutex);
  clock_gettime(CLOCK_REALTIME, &absolute);
  absolute.tv_nsec += 5000000;
  if (absolute.tv_nsec >= 1000000000) absolute.tv_nsec -= 1000000000, absolute.tv_sec++;
  printf("timedwait %d\n", pthread_cond_timedwait(&condition, &mutex, &absolute) == ETIMEDOUT);
  struct tms spent;
  printf("times %d\n", times(&spent) != (clock_t)-1);
  puts("done");
  return 0;
}
