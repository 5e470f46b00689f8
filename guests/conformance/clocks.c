// Clocks read through the C library, which asks the vDSO, lie between the same clocks read by system calls.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5000 };

static long long nanoseconds(struct timespec time) { return time.tv_sec * 1000000000LL + time.tv_nsec; }

static long long by_call(clockid_t clock) {
  struct timespec time = {-1, -1};
  syscall(SYS_clock_gettime, clock, &time);
  return nanoseconds(time);
}

static void compare(const char *name, clockid_t clock) {
  int wrong = 0;
  for (int i = 0; i < ROUNDS; i++) {
    struct timespec time = {-1, -1};
    long long before = by_call(clock);
    int status = clock_gettime(clock, &time);
    long long after = by_call(clock);
    if (status != 0 || time.tv_nsec < 0 || time.tv_nsec > 999999999) wrong++;
    else if (nanoseconds(time) < before || nanoseconds(time) > after) wrong++;
  }
  printf("%s: %d wrong\n", name, wrong);
}

int main(void) {
  printf("vDSO %d\n", getauxval(AT_SYSINFO_EHDR) != 0);
  compare("realtime", CLOCK_REALTIME);
  compare("monotonic", CLOCK_MONOTONIC);
  compare("monotonic raw", CLOCK_MONOTONIC_RAW);
  compare("realtime coarse", CLOCK_REALTIME_COARSE);
  compare("monotonic coarse", CLOCK_MONOTONIC_COARSE);
  compare("boottime", CLOCK_BOOTTIME);
  compare("tai", CLOCK_TAI);
  compare("process", CLOCK_PROCESS_CPUTIME_ID);
  compare("thread", CLOCK_THREAD_CPUTIME_ID);

  int wrong = 0;
  for (int i = 0; i < ROUNDS; i++) {
    struct timeval day = {-1, -1};
    long long before = by_call(CLOCK_REALTIME) / 1000;
    int status = gettimeofday(&day, NULL);
    long long after = by_call(CLOCK_REALTIME) / 1000;
    long long time = day.tv_sec * 1000000LL + day.tv_usec;
    if (status != 0 || time < before || time > after || day.tv_usec < 0 || day.tv_usec > 999999) wrong++;
  }
  printf("gettimeofday: %d wrong\n", wrong);

  wrong = 0;
  for (int i = 0; i < ROUNDS; i++) {
    time_t stored = -1;
    time_t before = by_call(CLOCK_REALTIME_COARSE) / 1000000000, now = time(&stored);
    time_t after = by_call(CLOCK_REALTIME_COARSE) / 1000000000;
    if (now < before || now > after || stored != now) wrong++;
  }
  printf("time: %d wrong\n", wrong);
  return 0;
}
