/* rusage FILE PROGRAM [ARGUMENT...]: runs a program and writes to FILE what it took: nanoseconds from fork to exit,
 * microseconds of user and of system time of all its threads, KiB of peak resident memory, its wait status.
 *
 * Node tells the time of a child and nothing more. And a child's peak memory begins with that of the process that
 * started it (execve(2) keeps the high-water mark), so that process has to be small. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: rusage FILE PROGRAM [ARGUMENT...]\n");
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
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
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
