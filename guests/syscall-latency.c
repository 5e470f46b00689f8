/* syscall-latency: how long the way into the kernel and back takes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char byte[1];
static int zero, null;

static void call_getpid(void) { syscall(SYS_getpid); }
static void call_getppid(void) { syscall(SYS_getppid); }
static void call_read(void) { syscall(SYS_read, zero, byte, 1); }
static void call_write(void) { syscall(SYS_write, null, byte, 1); }
static void call_clock_gettime(void) {
  struct timespec t;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}
static void call_vdso_clock_gettime(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
}

static const struct {
  const char *name;
  void (*call)(void);
} cases[] = {
    {"getpid", call_getpid},
    {"getppid", call_getppid},
    {"read 1 byte of /dev/zero", call_read},
    {"write 1 byte to /dev/null", call_write},
    {"clock_gettime (system call)", call_clock_gettime},
    {"clock_gettime (libc)", call_vdso_clock_gettime},
};

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  long calls = 200000;
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    printf("usage: syscall-latency [CALLS]\nPrints nanoseconds a call, over CALLS (%ld) calls of each.\n", calls);
    return 0;
  }
  if (argc > 1) calls = atol(argv[1]);
  if (calls < 1) {
    fprintf(stderr, "syscall-latency: CALLS must be positive\n");
    return 2;
  }
  zero = open("/dev/zero", O_RDONLY);
  null = open("/dev/null", O_WRONLY);
  if (zero < 0 || null < 0) {
    perror("syscall-latency: /dev/zero, /dev/null");
    return 1;
  }
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (long n = 0; n < calls / 4; n++) cases[i].call();  // until everything on the way is compiled
    double start = now_ns();
    for (long n = 0; n < calls; n++) cases[i].call();
    printf("%-30s %8.1f ns\n", cases[i].name, (now_ns() - start) / calls);
  }
  return 0;
}
