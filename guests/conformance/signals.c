// Signals: delivery, masks, siginfo, alternate stacks, restarting, real-time queues, faults.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static volatile int order[64];

static void note(int signal) { order[count++] = signal; }

static void install(int signal, void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, NULL);
}

static void inform(int signal, siginfo_t *info, void *context) {
  (void)context;
  printf("signal %d code %d value %d pid %d\n", signal, info->si_code, info->si_value.sival_int,
         info->si_pid == getpid());
}

static void install_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(signal, &action, NULL);
}

static sigjmp_buf jump;
static char *expected;
static volatile int fault_code, fault_address_matches, fault_trap, fault_error;

static void fault(int signal, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)signal;
  fault_code = info->si_code;
  fault_address_matches = info->si_addr == expected;
  fault_trap = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
  fault_error = (int)uc->uc_mcontext.gregs[REG_ERR];
  siglongjmp(jump, signal);
}

static void report(const char *what, int signal) {
  printf("%s: signal %d code %d address %d trap %d error %d\n", what, signal, fault_code, fault_address_matches,
         fault_trap, fault_error);
}

// Skips the two-byte instruction that failed and changes a register.
static void skip(int signal, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  (void)signal;
  (void)info;
  uc->uc_mcontext.gregs[REG_RIP] += 2;
  uc->uc_mcontext.gregs[REG_RBX] = 1234;
}

static char alternate[65536];
static volatile int on_alternate, nested_flags;
static void check_stack(int signal) {
  char here;
  stack_t now;
  (void)signal;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  sigaltstack(NULL, &now);
  nested_flags = now.ss_flags;
}

static volatile double kept;
static void clobber(int signal) {
  (void)signal;
  // Leaves other values in the vector registers and the FPU.
  volatile double a = 3.5;
  for (int i = 0; i < 20; i++) a = a * 1.25 + i;
  kept = a;
  __asm__ volatile("pxor %%xmm15, %%xmm15; fldpi; fstp %%st(0)" ::: "xmm15");
}

static void *raise_in_thread(void *argument) {
  raise(SIGUSR1);
  return argument;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  // Order of pending signals: lowest number first, real-time ones queue.
  sigset_t all, old, pending;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &old);
  install(SIGUSR1, note, 0);
  install(SIGUSR2, note, 0);
  install(SIGHUP, note, 0);
  install(SIGRTMIN + 1, note, 0);
  install(SIGRTMIN + 2, note, 0);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGRTMIN + 2);
  raise(SIGRTMIN + 1);
  raise(SIGRTMIN + 1);
  raise(SIGHUP);
  sigpending(&pending);
  printf("pending %d %d %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGHUP),
         sigismember(&pending, SIGINT), sigismember(&pending, SIGRTMIN + 1));
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("delivered %d\n", (int)count);
  int counts[65] = {0};
  for (int i = 0; i < count; i++) counts[order[i]]++;
  printf("USR1 %d USR2 %d RT1 %d RT2 %d\n", counts[SIGUSR1], counts[SIGUSR2], counts[SIGRTMIN + 1], counts[SIGRTMIN + 2]);

  install_info(SIGUSR1, inform, 0);
  kill(getpid(), SIGUSR1);
  union sigval value = {.sival_int = 42};
  sigqueue(getpid(), SIGUSR1, value);
  raise(SIGUSR1);
  install_info(SIGRTMIN + 3, inform, 0);
  sigqueue(getpid(), SIGRTMIN + 3, value);

  // Faults.
  install_info(SIGSEGV, fault, 0);
  install_info(SIGFPE, fault, 0);
  install_info(SIGILL, fault, 0);
  install_info(SIGBUS, fault, 0);
  install_info(SIGTRAP, fault, 0);
  int which;
  expected = (char *)0x1234;
  if ((which = sigsetjmp(jump, 1)) == 0) *(volatile char *)expected = 1;
  report("write to nothing", which);
  expected = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if ((which = sigsetjmp(jump, 1)) == 0) expected[0] = 1;
  report("write to read-only", which);
  if ((which = sigsetjmp(jump, 1)) == 0) ((void (*)(void))expected)();
  report("execute data", which);
  mprotect(expected, 4096, PROT_NONE);
  if ((which = sigsetjmp(jump, 1)) == 0) printf("%d", *(volatile char *)expected);
  report("read PROT_NONE", which);
  expected = NULL;
  if ((which = sigsetjmp(jump, 1)) == 0) printf("%d", *(volatile char *)0x800000000000000);
  report("not canonical", which);
  if ((which = sigsetjmp(jump, 1)) == 0) {
    volatile int zero = 0;
    printf("%d", 1 / zero);
  }
  printf("divide: signal %d code %d trap %d\n", which, fault_code, fault_trap);
  if ((which = sigsetjmp(jump, 1)) == 0) __asm__ volatile("ud2");
  printf("ud2: signal %d code %d trap %d\n", which, fault_code, fault_trap);
  if ((which = sigsetjmp(jump, 1)) == 0) __asm__ volatile("int3");
  printf("int3: signal %d code %d trap %d\n", which, fault_code, fault_trap);
  if ((which = sigsetjmp(jump, 1)) == 0) __asm__ volatile("hlt");
  report("hlt", which);
  FILE *file = tmpfile();
  if (file != NULL) {
    if (ftruncate(fileno(file), 100) != 0) puts("ftruncate");
    expected = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    expected += 4096;
    if ((which = sigsetjmp(jump, 1)) == 0) expected[0] = 1;
    report("behind the end of a file", which);
  }

  // A handler that changes the registers it returns to.
  install_info(SIGILL, skip, 0);
  long rbx = 1;
  __asm__ volatile("mov $7, %%rbx; ud2; mov %%rbx, %0" : "=r"(rbx)::"rbx");
  printf("skipped, rbx %ld\n", rbx);

  // Alternate stack.
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, previous;
  printf("sigaltstack %d\n", sigaltstack(&stack, &previous));
  printf("was disabled %d\n", (previous.ss_flags & SS_DISABLE) != 0);
  install(SIGUSR2, check_stack, SA_ONSTACK);
  raise(SIGUSR2);
  printf("on alternate %d flags %d\n", on_alternate, nested_flags);
  install(SIGUSR2, check_stack, 0);
  raise(SIGUSR2);
  printf("on alternate %d flags %d\n", on_alternate, nested_flags);
  stack.ss_size = 100;
  printf("too small %d\n", sigaltstack(&stack, NULL) == -1 && errno == ENOMEM);

  // Registers of the interrupted code are kept.
  install(SIGALRM, clobber, SA_RESTART);
  struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  double sum = 0;
  long double longsum = 0;
  for (int i = 1; i < 3000000; i++) {
    sum += 1.0 / i;
    longsum += 1.0L / i;
  }
  setitimer(ITIMER_REAL, &never, NULL);
  printf("sum %.12f %.15Lf interrupted %d\n", sum, longsum, kept != 0);

  // SA_RESTART and EINTR on a pipe.
  int ends[2];
  if (pipe(ends) != 0) return 1;
  char byte;
  count = 0;
  install(SIGALRM, note, 0);
  struct itimerval soon = {{0, 0}, {0, 3000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  errno = 0;
  printf("read %d", (int)read(ends[0], &byte, 1));
  printf(" %s handled %d\n", strerror(errno), (int)count);

  // One-shot handlers and deferred signals.
  install(SIGUSR1, note, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction now;
  sigaction(SIGUSR1, NULL, &now);
  printf("reset %d\n", now.sa_handler == SIG_DFL);

  // sigsuspend and sigwaitinfo.
  install(SIGUSR1, note, 0);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  sigprocmask(SIG_BLOCK, &one, &old);
  raise(SIGUSR1);
  count = 0;
  sigset_t none;
  sigemptyset(&none);
  int suspended = sigsuspend(&none);
  printf("sigsuspend %d %d handled %d\n", suspended, errno == EINTR, (int)count);
  sigqueue(getpid(), SIGUSR1, value);
  siginfo_t info;
  int got = sigwaitinfo(&one, &info);
  printf("sigwaitinfo %d value %d\n", got, info.si_value.sival_int);
  struct timespec moment = {0, 2000000};
  got = sigtimedwait(&one, &info, &moment);
  printf("sigtimedwait %d %d\n", got, errno == EAGAIN);
  sigprocmask(SIG_SETMASK, &old, NULL);

  // A signal to one thread.
  pthread_t thread;
  count = 0;
  pthread_create(&thread, NULL, raise_in_thread, NULL);
  pthread_join(thread, NULL);
  printf("in thread %d\n", (int)count);

  printf("bad signal %d\n", kill(getpid(), 100) == -1 && errno == EINVAL);
  printf("no process %d\n", kill(999999, SIGUSR1) == -1 && errno == ESRCH);
  struct sigaction cannot = {.sa_handler = note};
  printf("SIGKILL %d\n", sigaction(SIGKILL, &cannot, NULL) == -1 && errno == EINVAL);
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);
  printf("EPIPE %d\n", write(ends[1], "x", 1) == -1 && errno == EPIPE);
  puts("done");
  return 0;
}
