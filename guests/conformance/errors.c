// Error numbers of calls that are given nonsense.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void call(const char *what, long number, long a, long b, long c, long d, long e, long f) {
  errno = 0;
  long result = syscall(number, a, b, c, d, e, f);
  if (result == -1) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: %ld\n", what, result);
}
#define CALL(name, a, b, c, d, e, f) call(#name "(" #a ", " #b ", " #c ", " #d ", " #e ", " #f ")", SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define BAD 0x10
#define KERNEL 0xffff800000000000
#define WILD 0x8000000000000000

static char buffer[4096];

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  CALL(read, 99, buffer, 1, 0, 0, 0);
  CALL(write, 1, BAD, 5, 0, 0, 0);
  CALL(write, 1, KERNEL, 5, 0, 0, 0);
  CALL(write, 1, WILD, 5, 0, 0, 0);
  CALL(write, 1, -1, 5, 0, 0, 0);
  CALL(write, 1, BAD, 0, 0, 0, 0);
  CALL(open, BAD, O_RDONLY, 0, 0, 0, 0);
  CALL(open, "", O_RDONLY, 0, 0, 0, 0);
  CALL(close, -1, 0, 0, 0, 0, 0);
  CALL(mmap, 0, 0, 3, 0x22, -1, 0);
  CALL(mmap, 0, 4096, 3, 0x20, -1, 0);
  CALL(mmap, 0, 4096, 3, 2, 99, 0);
  CALL(mmap, 0, -4096, 3, 0x22, -1, 0);
  CALL(mmap, 1, 4096, 3, 0x32, -1, 0);
  CALL(munmap, 1, 4096, 0, 0, 0, 0);
  CALL(munmap, KERNEL, 4096, 0, 0, 0, 0);
  CALL(mprotect, buffer + 1, 4096, 1, 0, 0, 0);
  CALL(mprotect, 0x10000, 4096, 1, 0, 0, 0);
  CALL(mprotect, 0x10000, 4096, 0x100, 0, 0, 0);
  CALL(madvise, 0x10000, 4096, 4, 0, 0, 0);
  CALL(mremap, 0x10000, 4096, 8192, 1, 0, 0);
  CALL(mremap, 0x10000, 4096, 8192, 16, 0, 0);
  CALL(rt_sigaction, 0, 0, buffer, 8, 0, 0);
  CALL(rt_sigaction, 65, 0, buffer, 8, 0, 0);
  CALL(rt_sigaction, SIGUSR1, 0, buffer, 4, 0, 0);
  CALL(rt_sigaction, SIGUSR1, BAD, 0, 8, 0, 0);
  CALL(rt_sigaction, SIGUSR1, 0, BAD, 8, 0, 0);
  CALL(rt_sigaction, SIGKILL, buffer, 0, 8, 0, 0);
  CALL(rt_sigprocmask, 7, buffer, 0, 8, 0, 0);
  CALL(rt_sigprocmask, 7, 0, buffer, 8, 0, 0);
  CALL(rt_sigprocmask, 0, BAD, 0, 8, 0, 0);
  CALL(rt_sigprocmask, 0, 0, 0, 16, 0, 0);
  CALL(rt_sigpending, BAD, 8, 0, 0, 0, 0);
  CALL(rt_sigsuspend, BAD, 8, 0, 0, 0, 0);
  CALL(rt_sigtimedwait, BAD, 0, 0, 8, 0, 0);
  CALL(sigaltstack, BAD, 0, 0, 0, 0, 0);
  CALL(sigaltstack, 0, BAD, 0, 0, 0, 0);
  CALL(kill, getpid(), -1, 0, 0, 0, 0);
  CALL(tgkill, 0, 1, 1, 0, 0, 0);
  CALL(tgkill, -1, -1, 1, 0, 0, 0);
  CALL(tkill, 0, 1, 0, 0, 0, 0);
  CALL(nanosleep, BAD, 0, 0, 0, 0, 0);
  CALL(clock_gettime, 1, BAD, 0, 0, 0, 0);
  CALL(clock_gettime, 1000, buffer, 0, 0, 0, 0);
  CALL(clock_getres, 1, 0, 0, 0, 0, 0);
  CALL(clock_nanosleep, 3, 0, buffer, 0, 0, 0);
  CALL(timer_settime, 12345, 0, buffer, 0, 0, 0);
  CALL(timer_delete, 12345, 0, 0, 0, 0, 0);
  CALL(setitimer, 5, buffer, 0, 0, 0, 0);
  CALL(getitimer, 0, BAD, 0, 0, 0, 0);
  CALL(futex, BAD, 0, 0, 0, 0, 0);
  CALL(futex, KERNEL, 1, 1, 0, 0, 0);
  CALL(set_robust_list, buffer, 5, 0, 0, 0, 0);
  CALL(get_robust_list, 999999, buffer, buffer, 0, 0, 0);
  CALL(arch_prctl, 0x1002, KERNEL, 0, 0, 0, 0);
  CALL(arch_prctl, 0x1003, BAD, 0, 0, 0, 0);
  CALL(arch_prctl, 99, 0, 0, 0, 0, 0);
  CALL(wait4, -1, 0, 0, 0, 0, 0);
  CALL(wait4, -1, 0, 0x1000, 0, 0, 0);
  CALL(wait4, 999999, 0, 0, 0, 0, 0);
  CALL(waitid, 9, 0, 0, 4, 0, 0);
  CALL(waitid, 0, 0, 0, 0, 0, 0);
  CALL(execve, BAD, 0, 0, 0, 0, 0);
  CALL(execve, "/nonexistent", 0, 0, 0, 0, 0);
  CALL(execve, "/bin", 0, 0, 0, 0, 0);
  CALL(execve, "/bin/program", BAD, 0, 0, 0, 0);
  CALL(getrlimit, 99, buffer, 0, 0, 0, 0);
  CALL(getrlimit, RLIMIT_NOFILE, BAD, 0, 0, 0, 0);
  CALL(prlimit64, 999999, RLIMIT_NOFILE, 0, buffer, 0, 0);
  CALL(getrusage, 77, buffer, 0, 0, 0, 0);
  CALL(getrusage, 0, BAD, 0, 0, 0, 0);
  CALL(getpriority, 9, 0, 0, 0, 0, 0);
  CALL(getpgid, 999999, 0, 0, 0, 0, 0);
  CALL(getsid, 999999, 0, 0, 0, 0, 0);
  CALL(setpgid, 999999, 0, 0, 0, 0, 0);
  CALL(setpgid, 0, -5, 0, 0, 0, 0);
  CALL(sched_getaffinity, 0, 3, buffer, 0, 0, 0);
  CALL(sched_getaffinity, 999999, 128, buffer, 0, 0, 0);
  CALL(sched_setscheduler, 0, 77, buffer, 0, 0, 0);
  CALL(sched_get_priority_max, SCHED_FIFO, 0, 0, 0, 0, 0);
  CALL(sched_get_priority_max, 77, 0, 0, 0, 0, 0);
  CALL(uname, BAD, 0, 0, 0, 0, 0);
  CALL(sysinfo, BAD, 0, 0, 0, 0, 0);
  CALL(getrandom, BAD, 16, 0, 0, 0, 0);
  CALL(getrandom, buffer, 16, 0x100, 0, 0, 0);
  CALL(prctl, PR_SET_NAME, BAD, 0, 0, 0, 0);
  CALL(prctl, 0x7777, 0, 0, 0, 0, 0);
  CALL(prctl, PR_SET_PDEATHSIG, 100, 0, 0, 0, 0);
  CALL(capget, BAD, 0, 0, 0, 0, 0);
  CALL(times, BAD, 0, 0, 0, 0, 0);
  CALL(clone, 0x10000, 0, 0, 0, 0, 0);
  CALL(clone, 0x800, 0, 0, 0, 0, 0);
  CALL(clone3, BAD, 64, 0, 0, 0, 0);
  CALL(clone3, buffer, 8, 0, 0, 0, 0);
  CALL(membarrier, 0x40000000, 0, 0, 0, 0, 0);
  CALL(personality, 0xffffffff, 0, 0, 0, 0, 0);
  call("no such call", 1000, 0, 0, 0, 0, 0, 0);
  call("negative call", -5, 0, 0, 0, 0, 0, 0);
  char name[20] = "";
  prctl(PR_SET_NAME, "a name longer than fits");
  prctl(PR_GET_NAME, name);
  printf("name %s\n", name);
  struct iovec vectors[2] = {{"both ", 5}, {"parts\n", 6}};
  CALL(writev, 1, vectors, 2, 0, 0, 0);
  vectors[1].iov_base = (void *)BAD;
  CALL(writev, 99, vectors, 2, 0, 0, 0);
  return 0;
}
