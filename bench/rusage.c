/* rusage [-t] FILE PROGRAM [ARGUMENT...]: runs a program and writes to FILE what it took: nanoseconds from fork to exit,
 * microseconds of user and of system time of all its threads, KiB of peak resident memory, its wait status.
 * With -t, each line of its standard output gets in front of it how many nanoseconds after the start its first byte came,
 * and how many nanoseconds of processor time the program had taken by then.
 *
 * Node tells the time of a child and nothing more. And a child's peak memory begins with that of the process that
 * started it (execve(2) keeps the high-water mark), so that process has to be small. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long clock_ns(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) return 0;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

/* Copies lines from a file descriptor to standard output, each behind the time at which it came. */
static void stamp_lines(int from, long long started, pid_t child) {
  char bytes[65536];
  clockid_t clock;
  int has_clock = clock_getcpuclockid(child, &clock) == 0;
  int is_begun = 0;
  for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;) {
    long long now = now_ns() - started;
    long long cpu = has_clock ? clock_ns(clock) : 0;
    for (char *at = bytes, *end = bytes + count; at < end;) {
      if (!is_begun) printf("%lld %lld ", now, cpu);
      char *newline = memchr(at, '\n', end - at);
      char *next = newline == NULL ? end : newline + 1;
      fwrite(at, 1, next - at, stdout);
      is_begun = newline == NULL;
      at = next;
    }
  }
  fflush(stdout);
}

int main(int argc, char **argv) {
  int stamps = argc > 1 && strcmp(argv[1], "-t") == 0;
  argv += stamps;
  argc -= stamps;
  if (argc < 3) {
    fprintf(stderr, "usage: rusage [-t] FILE PROGRAM [ARGUMENT...]\n");
    return 125;
  }
  int output[2];
  if (stamps && pipe(output) < 0) {
    perror("rusage: pipe");
    return 125;
  }
  long long started = now_ns();
  pid_t child = fork();
  if (child < 0) {
    perror("rusage: fork");
    return 125;
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a time limit kills us, and it must end with us */
    if (stamps) {
      dup2(output[1], STDOUT_FILENO);
      close(output[0]);
      close(output[1]);
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  if (stamps) {
    close(output[1]);
    stamp_lines(output[0], started, child);
  }
  int status;
  struct rusage usage;
  if (wait4(child, &status, 0, &usage) < 0) {
    perror("rusage: wait4");
    return 125;
  }
  long long wall = now_ns() - started;
  FILE *file = fopen(argv[1], "w");
  if (file == NULL) {
    perror(argv[1]);
    return 125;
  }
  fprintf(file, "%lld %lld %lld %ld %d\n", wall, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
          usage.ru_maxrss, status);
  return fclose(file) == 0 ? 0 : 125;
}
